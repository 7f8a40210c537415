// Talking to the gateway: the WebSocket that comes back by itself, and requests.

import { apply, changed, state } from "./state.js";

const SOONEST = 500;
const LATEST = 15000;
let wait = SOONEST;
let timer = null;
let socket = null;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function get(path) {
  return answer(await fetch(path, { headers: { accept: "application/json" }, cache: "no-store" }));
}

export async function post(path, body = {}) {
  return answer(await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
}

async function answer(response) {
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, content.error?.message ?? `the gateway answered ${response.status}`);
  return content;
}

export async function refreshSession() {
  state.session = await get("session");
  changed({ session: true });
  return state.session;
}

function tell(connection) {
  state.connection = connection;
  changed({ connection: true });
}

// Connect, and again whenever the connection is lost; a page that may not look asks for the token instead.
export async function connect() {
  clearTimeout(timer);
  tell({ kind: state.ready ? "reconnecting" : "connecting" });
  try {
    if (!(await refreshSession()).view) return tell({ kind: "locked" });
  } catch {
    return later();
  }
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(url);
  socket.onmessage = (event) => {
    wait = SOONEST;
    apply(JSON.parse(event.data));
    if (state.connection.kind !== "live") tell({ kind: "live" });
  };
  socket.onclose = (event) => {
    socket = null;
    later(event.code === 1013 ? "too many viewers" : null);
  };
}

export function disconnect() {
  clearTimeout(timer);
  if (socket) socket.onclose = null;
  socket?.close();
  socket = null;
}

function later(why = null) {
  tell({ kind: "lost", until: Date.now() + wait, why });
  timer = setTimeout(connect, wait);
  wait = Math.min(LATEST, wait * 1.6);
}

addEventListener("online", () => state.connection.kind === "lost" && connect());
