// Alerts and what policies did, as a timeline, newest first.

import { h, replace, say, select, state as nothing, text } from "./dom.js";
import { exporter } from "./export.js";
import { ago, clock, many } from "./format.js";
import { state } from "./state.js";

const KINDS = { pause: "warn", budget: "warn", policy: "bad", breaker: "bad", audit: "bad", store: "bad", overload: "bad", access: "bad" };
const chosen = { kind: "", agent: "" };

// How bad it is; what says that trouble has ended is good.
export const severity = (alert) => (alert.good ? "ok" : KINDS[alert.kind] ?? "dim");

export function alertsView() {
  const list = h("ol", { class: "timeline" });
  const found = h("span", { class: "found" });
  let ages = [];
  const none = h("div", {});
  const kind = select("Kind", [], chosen.kind, (value) => choose("kind", value));
  const agent = select("Agent", [], chosen.agent, (value) => choose("agent", value));
  const exports = exporter("alerts", () => wanted()).map(([name, save]) => h("button", { type: "button", class: "quiet", onclick: save }, name));
  const element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Alerts"), h("div", { class: "tools" }, kind.element, agent.element, found, h("span", { class: "exports" }, h("span", { class: "sub" }, "Export"), exports)), list, none);

  function choose(name, value) {
    chosen[name] = value;
    update();
    say(found.textContent);
  }

  const wanted = () => state.alerts.filter((alert) => (!chosen.kind || alert.kind === chosen.kind) && (!chosen.agent || alert.agent === chosen.agent));

  function item(alert) {
    const who = alert.agent && h("a", { href: `#/agents/${encodeURIComponent(alert.agent)}` }, alert.agent);
    const age = h("span", { class: "sub" });
    ages.push([age, alert.at]);
    return h("li", { "data-kind": severity(alert) },
      h("span", { class: "when" }, h("time", { datetime: alert.at, title: alert.at }, clock(alert.at)), age),
      h("span", { class: "what" }, h("span", { class: "kind" }, alert.kind), h("span", {}, alert.text), who));
  }

  function update() {
    const alerts = wanted();
    kind.set([...new Set(state.alerts.map((alert) => alert.kind))].sort());
    agent.set([...new Set(state.alerts.map((alert) => alert.agent).filter(Boolean))].sort());
    ages = [];
    replace(list, alerts.slice(-200).reverse().map(item));
    grow();
    list.hidden = alerts.length === 0;
    text(found, many(alerts.length, "alert"));
    if (alerts.length) replace(none);
    else if (state.alerts.length) replace(none, nothing("No alert matches", "Take a filter away to see more."));
    else replace(none, nothing("All is calm", "Pauses, budgets that run low, open circuits and what policies do are told here."));
  }

  function grow() {
    for (const [age, at] of ages) text(age, ago(at));
  }

  update();
  return { title: "Alerts", element, update: (what) => (what.alerts ? update() : grow()) };
}
