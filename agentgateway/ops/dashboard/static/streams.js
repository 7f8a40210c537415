// The streams that are open now, each with a button that ends it.

import { endStream } from "./actions.js";
import { h, replace, state as nothing, text } from "./dom.js";
import { exporter } from "./export.js";
import { clock, dollars, duration, millis, number } from "./format.js";
import { get } from "./net.js";
import { state } from "./state.js";

const EVERY = 2000;
const HEADS = ["Agent", "Model", "Since", "Age", "First byte", "Cost so far", ""];

export function streamsView() {
  const body = h("tbody", {});
  const rows = new Map();
  let streams = [];
  const found = h("span", { class: "found" });
  const none = h("div", {});
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const box = h("div", { class: "scroll free", tabindex: "0", role: "region", "aria-label": "Open streams" }, h("table", { class: "records" }, h("caption", { class: "unseen" }, "Open streams, oldest first"), h("thead", {}, h("tr", {}, HEADS.map((head, i) => h("th", { scope: "col", class: i > 2 ? "n" : null }, head || h("span", { class: "unseen" }, "Action"))))), body));
  const exports = exporter("streams", () => streams).map(([name, save]) => h("button", { type: "button", class: "quiet", onclick: save }, name));
  const element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Open streams"), h("div", { class: "tools" }, found, h("span", { class: "exports" }, h("span", { class: "sub" }, "Export"), exports)), problem, box, none);

  function row(stream) {
    const age = h("td", { class: "n", "data-label": "Age" });
    const cost = h("td", { class: "n", "data-label": "Cost so far" });
    const end = h("button", { type: "button", class: "small danger", "aria-label": `End the stream of ${stream.agent}`, onclick: () => endStream(stream, refresh) }, "End");
    const line = h("tr", {},
      h("td", { "data-label": "Agent" }, h("a", { href: `#/agents/${encodeURIComponent(stream.agent)}` }, stream.agent)),
      h("td", { "data-label": "Model" }, h("span", { class: "value" }, stream.model ?? "–"), h("span", { class: "sub" }, stream.provider ?? "")),
      h("td", { "data-label": "Since" }, clock(stream.began)), age, h("td", { class: "n", "data-label": "First byte" }, millis(stream.ttfb_ms)), cost, h("td", { class: "n c-end" }, end));
    return { line, set(now) {
      text(age, duration(now.age_s));
      text(cost, dollars(now.cost_so_far));
    } };
  }

  async function refresh() {
    try {
      streams = await get("data/streams");
      const open = new Set(streams.map((stream) => stream.id));
      for (const [id, known] of rows) {
        if (!open.has(id)) {
          known.line.remove();
          rows.delete(id);
        }
      }
      for (const stream of streams) {
        if (!rows.has(stream.id)) {
          rows.set(stream.id, row(stream));
          body.append(rows.get(stream.id).line);
        }
        rows.get(stream.id).set(stream);
      }
      text(found, `${number(streams.length)} open, oldest first`);
      box.hidden = streams.length === 0;
      replace(none, streams.length ? [] : nothing("No stream is open", "Answers that are streamed show here while they last."));
      problem.hidden = true;
    } catch (error) {
      problem.textContent = `The streams could not be asked for: ${error.message}`;
      problem.hidden = false;
    }
  }

  const timer = setInterval(refresh, EVERY);
  refresh();
  return { title: "Streams", element, update: () => state.gateway.open_streams !== streams.length && refresh(), leave: () => clearInterval(timer) };
}
