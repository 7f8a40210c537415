// All that is known of one call, in a dialog.

import { h } from "./dom.js";
import { exporter } from "./export.js";
import { clock, millis, number } from "./format.js";

const KIND = { ok: "ok", refused: "warn", upstream_error: "bad", truncated: "bad", cut: "warn", client_gone: "dim" };
const USAGE = { exact: "as the provider says", estimated: "estimated, since the provider did not say", none: "none" };
const PRICES = { assumed: "assumed, since none is known for this model" };

const byOperator = (record) => record.outcome === "ok" && record.provider === null;
export const kindOf = (record) => (byOperator(record) ? "dim" : KIND[record.outcome] ?? "dim");
export const wordsOf = (record) => (byOperator(record) ? "by an operator" : record.outcome === "ok" ? `${record.status || ""} ok`.trim() : `${record.status || ""} ${record.outcome.replace("_", " ")}`.trim());
export const ended = (record) => Date.parse(record.ts) + record.latency_ms;

// heading, what stands below it: name, value; what is null is left out
const PARTS = [
  ["Call", (r) => [
    ["Outcome", wordsOf(r), kindOf(r)], ["Reason", r.reason], ["Agent", r.agent], ["Provider", r.provider], ["Model", r.model],
    ["Asked for", r.requested_model === r.model ? null : r.requested_model], ["Request", `${r.method} ${r.path}`], ["Answer", r.provider === null ? null : r.stream ? "streamed" : "in one piece"],
    ["Session", r.session], ["Tags", r.tags.join(", ") || null], ["Id", r.id]]],
  ["Time", (r) => [
    ["Began", `${clock(r.ts)}, ${r.ts}`], ["First byte", r.ttfb_ms === null ? null : `after ${millis(r.ttfb_ms)}`], ["Ended", `${clock(ended(r))}, after ${millis(r.latency_ms)}`]]],
  ["Tokens", (r) => (r.usage === "none" ? [["Usage", "none"]] : [
    ["In", number(r.input_tokens)], ["Out", number(r.output_tokens)], ["Read from cache", number(r.cache_read_tokens)], ["Written to cache", number(r.cache_write_tokens)],
    ["Reasoning", number(r.reasoning_tokens)], ["Counted", USAGE[r.usage] ?? r.usage]])],
  ["Cost", (r) => [["Dollars", r.cost_usd ? `$${Number(r.cost_usd).toFixed(9).replace(/0{1,7}$/, "")}` : "$0"], ["Prices", r.cost_usd ? PRICES[r.prices] ?? r.prices : null]]],
];

function part(heading, rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  return h("section", {}, h("h3", {}, heading), h("dl", {}, shown.flatMap(([name, value, kind]) => [h("dt", {}, name), h("dd", { "data-kind": kind }, value)])));
}

export function showRecord(record) {
  const save = exporter(record.id, () => record)[0][1];
  const close = h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close");
  const dialog = h("dialog", { class: "record", closedby: "any", "aria-labelledby": "record-title", onclose: () => dialog.remove() },
    h("h2", { id: "record-title" }, byOperator(record) ? "A change by an operator" : record.agent === null ? "A call of nobody known" : `A call of ${record.agent}`),
    h("div", { class: "parts", tabindex: "0", role: "group", "aria-label": "The record" }, PARTS.map(([heading, rows]) => part(heading, rows(record)))),
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: save }, "Save as JSON"), close));
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
