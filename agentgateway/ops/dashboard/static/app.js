// The page: which view is shown, the totals above it, and how the connection stands.

import { agentView } from "./agent.js";
import { agentsView } from "./agents.js";
import { alertsView } from "./alerts.js";
import { askForToken, loginPage, logOut } from "./actions.js";
import { callsView } from "./calls.js";
import { h, replace, sparkline, text } from "./dom.js";
import { clock, count, dollars, duration, many, number, percent } from "./format.js";
import { connect } from "./net.js";
import { providersView } from "./providers.js";
import { events, state } from "./state.js";
import { streamsView } from "./streams.js";

const VIEWS = { agents: ["Agents", agentsView], calls: ["Calls", callsView], streams: ["Streams", streamsView], alerts: ["Alerts", alertsView], providers: ["Providers", providersView] };
const $ = (id) => document.getElementById(id);
let view = null;
let shown = "";

// totals

const TILES = {
  hour: ["Spent this hour", (g) => dollars(g.cost_this_hour), (g) => (g.cost_per_minute ? `${dollars(g.cost_per_minute)} a minute` : "nothing just now")],
  today: ["Spent today", (g) => dollars(g.cost_today), (g) => `in ${g.timezone}`],
  calls: ["Calls a minute", (g) => number(g.calls_per_minute), (g) => (g.refused_per_minute ? `${count(g.refused_per_minute)} more refused` : `${count(g.calls_this_hour)} this hour`)],
  tokens: ["Tokens a minute", (g) => count(g.tokens_per_minute), () => "in and out"],
  errors: ["Errors this hour", (g) => number(g.errors_this_hour), (g) => (g.calls_this_hour ? `${percent(g.errors_this_hour / g.calls_this_hour)} of calls` : "no calls")],
  streams: ["Open streams", (g) => number(g.open_streams), (g) => `${many(g.in_flight, "call")} in flight`],
  health: ["Gateway", (g) => (g.status !== "ok" ? "Draining" : g.store === "ok" ? "Healthy" : "Degraded"), (g) => (g.store === "ok" ? many(g.agents, "agent") + (g.paused ? `, ${number(g.paused)} paused` : "") : "shared store away")],
};
const spark = sparkline(160, 34);
const tiles = Object.fromEntries(Object.entries(TILES).map(([name, [label]]) => {
  const value = h("dd", { class: "big" });
  const sub = h("dd", { class: "sub" });
  return [name, { value, sub, element: h("div", { class: `tile t-${name}` }, h("dt", {}, label), value, sub, name === "calls" && spark.element) }];
}));
replace($("totals"), h("dl", {}, Object.values(tiles).map((tile) => tile.element)));

function drawTotals() {
  const gateway = state.gateway;
  for (const [name, [, value, sub]] of Object.entries(TILES)) {
    text(tiles[name].value, gateway ? value(gateway) : "–");
    text(tiles[name].sub, gateway ? sub(gateway) : " ");
  }
  if (!gateway) return;
  tiles.errors.element.dataset.kind = gateway.calls_this_hour && gateway.errors_this_hour / gateway.calls_this_hour >= 0.05 ? "bad" : "";
  const lost = state.connection.kind === "lost";
  if (lost) text(tiles.health.value, "No answer");
  tiles.health.element.dataset.kind = lost ? "bad" : gateway.status === "ok" && gateway.store === "ok" ? "ok" : "warn";
  spark.set(gateway.spark);
  text($("version"), `v${gateway.version}`);
  $("version").title = `up ${duration(gateway.uptime_s)}`;
}

// the connection

function drawConnection() {
  const { kind, until, why } = state.connection;
  const wait = until ? Math.max(0, Math.ceil((until - Date.now()) / 1000)) : 0;
  const words = { connecting: "Connecting…", reconnecting: "Reconnecting…", live: "Live", lost: "Disconnected", locked: "Locked" }[kind];
  $("connection").dataset.kind = kind;
  text($("connection-text"), words);
  const banner = $("banner");
  const lost = kind === "lost" || (kind === "reconnecting" && state.ready);
  banner.hidden = !lost;
  document.body.classList.toggle("stale", lost && state.ready);
  if (lost) {
    const age = state.ready ? `What you see is from ${clock(state.at)}.` : "";
    text(banner.firstChild ?? banner.appendChild(h("span", {})), `The gateway does not answer${why ? ` (${why})` : ""}. ${age} ${kind === "lost" ? `Trying again in ${wait} s.` : "Trying again…"}`);
    if (!banner.querySelector("button")) banner.append(h("button", { type: "button", class: "small", onclick: () => connect() }, "Try now"));
  }
  const session = $("session");
  session.hidden = kind === "locked" || !state.ready;
  text(session, state.session.act ? "Log out" : "Log in to act");
}

$("session").addEventListener("click", () => (state.session.act ? logOut() : askForToken()));

// views

function route() {
  const [, name, rest] = (location.hash.match(/^#\/([a-z]+)(?:\/(.+))?$/) ?? [null, "agents", undefined]);
  if (!(name in VIEWS)) return { key: "agents", make: agentsView, nav: "agents" };
  if (name === "agents" && rest !== undefined) {
    let id = rest;
    try {
      id = decodeURIComponent(rest);
    } catch {
      // a name as it stands
    }
    return { key: `agents/${rest}`, make: () => agentView(id), nav: "agents" };
  }
  return { key: name, make: VIEWS[name][1], nav: name };
}

function drawNav(nav) {
  replace($("nav"), h("ul", {}, Object.entries(VIEWS).map(([name, [label]]) => h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === nav ? "page" : null }, label)))));
}

function drawView(moved = false) {
  const locked = state.connection.kind === "locked";
  const { key, make, nav } = route();
  const wanted = locked ? "login" : state.ready ? key : "";
  if (wanted === shown) return;
  if (!wanted) {
    if (shown) replace($("main"), h("div", { class: "state" }, h("div", { class: "spinner", "aria-hidden": "true" }), h("p", {}, "Asking the gateway…")));
    shown = wanted;
    return;
  }
  view?.leave?.();
  shown = wanted;
  document.body.classList.toggle("locked", locked);
  view = locked ? { title: "Log in", element: loginPage(), update() {} } : make();
  document.title = `${view.title} · agentgateway`;
  replace($("main"), view.element);
  view.shown?.();
  drawNav(nav);
  if (moved) $("main").focus({ preventScroll: true });
  if (locked) $("main").querySelector("input").focus();
}

events.addEventListener("change", ({ detail }) => {
  drawTotals();
  drawConnection();
  const before = shown;
  drawView();
  if (before === shown) view?.update(detail);
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  $("main").focus();
});
addEventListener("hashchange", () => drawView(true));
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
setInterval(() => state.connection.kind === "lost" && drawConnection(), 500);
drawTotals();
drawNav(route().nav);
connect();
