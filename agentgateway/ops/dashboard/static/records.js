// A table of audit records, newest first; used by the feed and by an agent's page.

import { showRecord } from "./actions.js";
import { h, replace } from "./dom.js";
import { aligned, clock, count, millis } from "./format.js";

const KIND = { ok: "ok", refused: "warn", upstream_error: "bad", truncated: "bad", cut: "warn", client_gone: "dim" };
const HEADS = ["Began", "Agent", "Model", "Outcome", "Tokens in", "Tokens out", "Cost", "Latency", "First byte"];

const byOperator = (record) => record.outcome === "ok" && record.provider === null;
export const wordsOf = (record) => (byOperator(record) ? "by an operator" : record.outcome === "ok" ? `${record.status || ""} ok`.trim() : `${record.status || ""} ${record.outcome.replace("_", " ")}`.trim());

function rowOf(record) {
  const label = `Details of the call of ${record.agent ?? "nobody known"} at ${clock(record.ts)}`;
  const time = h("button", { type: "button", class: "link", "aria-label": label, onclick: () => showRecord(record) }, clock(record.ts));
  const why = record.reason && h("span", { class: "sub", title: record.reason }, record.reason);
  const exact = record.usage === "estimated" ? "≈" : "";
  return h("tr", {},
    h("td", {}, time),
    h("td", { "data-label": "Agent" }, record.agent === null ? "–" : h("a", { href: `#/agents/${encodeURIComponent(record.agent)}` }, record.agent)),
    h("td", { "data-label": "Model" }, h("span", { class: "value" }, record.model ?? record.requested_model ?? (record.provider ? "–" : record.path)), record.provider && h("span", { class: "sub" }, record.stream ? `${record.provider}, stream` : record.provider)),
    h("td", { class: "c-outcome", "data-label": "Outcome" }, h("span", { class: "outcome", "data-kind": byOperator(record) ? "dim" : KIND[record.outcome] ?? "dim" }, wordsOf(record)), why),
    h("td", { class: "n", "data-label": "Tokens in" }, exact + count(record.input_tokens)),
    h("td", { class: "n", "data-label": "Tokens out" }, exact + count(record.output_tokens)),
    h("td", { class: "n", "data-label": "Cost" }, record.cost_usd ? exact + aligned(record.cost_usd) : "–"),
    h("td", { class: "n", "data-label": "Latency" }, millis(record.latency_ms)),
    h("td", { class: "n", "data-label": "First byte" }, millis(record.ttfb_ms)));
}

// Shows the newest `most` of some records; a record's row is made once.
export function recordTable(caption, most) {
  const rows = new Map();
  const body = h("tbody", {});
  const element = h("div", { class: "scroll free", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: "records" }, h("caption", { class: "unseen" }, caption), h("thead", {}, h("tr", {}, HEADS.map((head, i) => h("th", { scope: "col", class: i > 3 ? "n" : null }, head)))), body));
  return {
    element,
    set(records) {
      const shown = records.slice(-most).reverse();
      const kept = new Set(shown.map((record) => record.id));
      for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
      for (const record of shown) if (!rows.has(record.id)) rows.set(record.id, rowOf(record));
      const focused = document.activeElement;
      replace(body, shown.map((record) => rows.get(record.id)));
      if (focused && focused !== document.activeElement && body.contains(focused)) focused.focus();
    },
  };
}
