// A table of audit records, newest first; used by the feed and by an agent's page.

import { h } from "./dom.js";
import { aligned, clock, count, millis } from "./format.js";
import { ended, kindOf, showRecord, wordsOf } from "./record.js";

const HEADS = ["Ended", "Agent", "Model", "Outcome", "Tokens in", "Tokens out", "Cost", "Latency", "First byte"];
const ESTIMATED = "Estimated: the provider did not say";

// A number, or what stands for none; those that say nothing stand back.
function figure(name, value, shown, estimated = false) {
  return h("td", { class: name === "Cost" ? "n c-cost" : "n", "data-label": name, "data-kind": value ? null : "dim", title: estimated && value ? ESTIMATED : null }, estimated && value ? `≈${shown}` : shown);
}

function rowOf(record, alone) {
  const label = `Details of the call of ${record.agent ?? "nobody known"} at ${clock(ended(record))}`;
  const time = h("button", { type: "button", class: "link", "aria-label": label, title: `Began ${clock(record.ts)}`, onclick: () => showRecord(record) }, clock(ended(record)));
  const why = record.reason && h("span", { class: "sub", title: record.reason }, record.reason);
  const estimated = record.usage === "estimated";
  const tokens = (value) => (record.usage === "none" ? "–" : count(value));
  const open = (event) => event.target.closest("a, button") || String(getSelection()) || showRecord(record);
  return h("tr", { onclick: open },
    h("td", { class: "c-time", "data-label": "Ended" }, time),
    !alone && h("td", { class: "c-who", "data-label": "Agent" }, record.agent === null ? "nobody known" : h("a", { href: `#/agents/${encodeURIComponent(record.agent)}` }, record.agent)),
    h("td", { class: "c-model", "data-label": "Model" }, h("span", { class: "value" }, record.model ?? record.requested_model ?? (record.provider ? "–" : record.path)), record.provider && h("span", { class: "sub" }, record.stream ? `${record.provider}, stream` : record.provider)),
    h("td", { class: "c-outcome", "data-label": "Outcome" }, h("span", { class: "outcome", "data-kind": kindOf(record) }, wordsOf(record)), why),
    figure("Tokens in", record.input_tokens, tokens(record.input_tokens), estimated),
    figure("Tokens out", record.output_tokens, tokens(record.output_tokens), estimated),
    figure("Cost", record.cost_usd, record.cost_usd ? aligned(record.cost_usd) : "–", estimated),
    figure("Latency", record.provider, record.provider ? millis(record.latency_ms) : "–"),
    figure("First byte", record.ttfb_ms, millis(record.ttfb_ms)));
}

// Shows the newest `most` of some records, `alone` those of one agent; a record's row is made once and stays where it is.
export function recordTable(caption, most, alone = false) {
  const rows = new Map();
  const body = h("tbody", {});
  const heads = HEADS.filter((head) => !alone || head !== "Agent");
  const element = h("div", { class: "scroll free", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: alone ? "records calls alone" : "records calls" }, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: HEADS.indexOf(head) > 3 ? "n" : null }, head)))), body));
  return {
    element,
    set(records) {
      const shown = records.slice(-most).reverse().sort((a, b) => ended(b) - ended(a));
      const kept = new Set(shown.map((record) => record.id));
      for (const [id, row] of rows) {
        if (!kept.has(id)) {
          row.remove();
          rows.delete(id);
        }
      }
      let next = body.firstChild;
      for (const record of shown) {
        if (!rows.has(record.id)) rows.set(record.id, rowOf(record, alone));
        const row = rows.get(record.id);
        if (row === next) next = next.nextSibling;
        else body.insertBefore(row, next);
      }
    },
  };
}
