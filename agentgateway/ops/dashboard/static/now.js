// What happened just now: the latest alerts, a line each, as many as there is room for.

import { severity } from "./alerts.js";
import { h, replace, text } from "./dom.js";
import { ago, duration } from "./format.js";
import { state } from "./state.js";

const LINE = 27;
const LEAST = 2;
const MOST = 12;

function line(alert) {
  const age = h("time", { class: "sub", datetime: alert.at, title: alert.at });
  const href = alert.agent === null ? "#/alerts" : `#/agents/${encodeURIComponent(alert.agent)}`;
  const element = h("li", { "data-kind": severity(alert) }, age, h("a", { class: "text", title: alert.text, href }, alert.text));
  return { element, grow: () => text(age, ago(alert.at)) };
}

export function justNow() {
  const list = h("ul", {});
  const calm = h("p", { class: "sub" });
  const element = h("section", { class: "now", "aria-label": "Just now" }, h("div", { class: "head" }, h("h2", {}, "Just now"), h("a", { class: "sub", href: "#/alerts" }, "All alerts")), list, calm);
  let lines = [];
  let last = "";

  function update() {
    const room = Math.floor((element.clientHeight - list.offsetTop + element.offsetTop) / LINE);
    const alerts = state.alerts.slice(-Math.min(MOST, Math.max(LEAST, room))).reverse();
    const key = `${alerts.length} ${alerts[0]?.at} ${alerts[0]?.text}`;
    if (key !== last) {
      lines = alerts.map(line);
      replace(list, lines.map((one) => one.element));
    }
    last = key;
    list.hidden = alerts.length === 0;
    calm.hidden = alerts.length > 0;
    text(calm, `No alert in the ${duration(state.gateway.uptime_s)} since the gateway was started.`);
    for (const one of lines) one.grow();
  }

  return { element, update };
}
