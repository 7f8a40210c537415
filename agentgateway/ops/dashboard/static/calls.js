// The live feed of calls.

import { h, replace, say, select, state as nothing, text } from "./dom.js";
import { exporter } from "./export.js";
import { number } from "./format.js";
import { recordTable } from "./records.js";
import { state } from "./state.js";

const MOST = 200;
const chosen = { words: "", outcome: "", provider: "" };

export function callsView() {
  let held = null; // the records as they were when the feed was held
  const table = recordTable("Calls, newest first", MOST);
  const found = h("span", { class: "found" });
  const none = h("div", {});
  const search = h("input", { type: "search", placeholder: "agent, model or reason", "aria-label": "Filter by agent, model, path or reason", "data-search": true, value: chosen.words, oninput: () => choose("words", search.value) });
  const outcome = select("Outcome", ["ok", "refused", "upstream_error", "truncated", "cut", "client_gone"], chosen.outcome, (value) => choose("outcome", value));
  const provider = select("Provider", [], chosen.provider, (value) => choose("provider", value));
  const hold = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => toggle() }, "Hold");
  const exports = exporter("calls", () => wanted()).map(([name, save]) => h("button", { type: "button", class: "quiet", onclick: save }, name));
  const element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Calls"), h("div", { class: "tools" }, search, outcome.element, provider.element, hold, found, h("span", { class: "exports" }, h("span", { class: "sub" }, "Export"), exports)), table.element, none);

  function choose(name, value) {
    chosen[name] = value;
    update();
    say(found.textContent);
  }

  function toggle() {
    held = held ? null : [...state.records];
    hold.setAttribute("aria-pressed", String(held !== null));
    text(hold, held ? "Go on" : "Hold");
    update();
  }

  function wanted() {
    const words = chosen.words.trim().toLowerCase();
    return (held ?? state.records).filter((record) => {
      const known = [record.agent, record.model, record.requested_model, record.path, record.reason, record.id];
      return (!words || known.some((one) => one?.toLowerCase().includes(words))) && (!chosen.outcome || record.outcome === chosen.outcome) && (!chosen.provider || record.provider === chosen.provider);
    });
  }

  function update() {
    const records = wanted();
    provider.set([...new Set(state.records.map((record) => record.provider).filter(Boolean))].sort());
    table.set(records);
    table.element.hidden = records.length === 0;
    const more = records.length > MOST ? `, the newest ${MOST} shown` : "";
    const omitted = state.omitted ? `, ${number(state.omitted)} came too fast to be told` : "";
    text(found, `${number(records.length)} of the last ${number((held ?? state.records).length)}${more}${omitted}`);
    if (records.length) replace(none);
    else if (state.records.length) replace(none, nothing("No call matches", "Take a filter away to see more."));
    else replace(none, nothing("No calls yet", "Point an agent at the gateway; its first call appears here at once."));
  }

  update();
  return { title: "Calls", element, update: (what) => what.records && !held && update() };
}
