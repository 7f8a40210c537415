// All agents: a table that sorts and filters, of which only the rows in sight exist.

import { attr, bar, field, h, replace, say, select, sparkline, state as nothing, text } from "./dom.js";
import { exporter } from "./export.js";
import { allowance, capOf, count, dollars, forecast, limit, many, millis, number, outlook, percent, short, spending, tightest, WINDOW } from "./format.js";
import { justNow } from "./now.js";
import { state } from "./state.js";

const AROUND = 6; // rows kept above and below those in sight
const worst = { open: 0, half_open: 1, closed: 2 };
const dim = (value) => (value ? "" : "dim"); // what is nothing stands back
const part = (cap) => (cap ? cap.spent / cap.limit : -1);

// name, heading, what to sort by, whether the largest comes first, what it is
const COLUMNS = [
  ["agent", "Agent", (a) => a.id, false, "Its name, and the model and provider of its latest call"],
  ["status", "Status", (a) => ["paused", "active", "idle"].indexOf(a.status), false, "Idle: no call within the last five minutes"],
  ["hour", "This hour", (a) => a.cost_this_hour, true, "Dollars spent in the present clock hour, of its cap"],
  ["day", "Today", (a) => a.cost_today, true, "Dollars spent today, of its cap"],
  ["total", "In total", (a) => a.total_cost, true, "Dollars spent ever, of its cap"],
  ["forecast", "Runs out", (a) => forecast(a).seconds, false, "When the first of its caps is reached at its present pace"],
  ["calls", "Calls/min", (a) => a.calls_per_minute, true, "Answered calls in the last minute; the line: in each of the last thirty"],
  ["tokens", "Tokens/h", (a) => a.tokens_this_hour, true, "Tokens in and out in the present clock hour"],
  ["errors", "Errors", (a) => a.error_rate, true, "Calls of the present clock hour that a provider failed; refusals are none"],
  ["latency", "Latency", (a) => a.p95_ms ?? -1, true, "Until the end of the answer, of its latest calls: the median, and what 95% stay below"],
  ["first", "First byte", (a) => a.ttfb_p95_ms ?? -1, true, "Until the answer begins, of its latest calls: the median, and what 95% stay below"],
  ["flight", "In flight", (a) => a.in_flight, true, "Calls that wait for the end of their answer"],
  ["rate", "Rate left", (a) => tightest(a)?.part ?? Infinity, false, "What is left of its limit that is nearest to refusing a call: calls, tokens (tok), or places for calls under way (free)"],
  ["circuit", "Circuit", (a) => worst[a.circuit_breaker.state], false, "Open: its calls are not sent to a provider that keeps failing"],
];
const NUMBERS = ["tokens", "errors", "latency", "first", "flight"];
const classOf = (name) => `c-${name}${NUMBERS.includes(name) ? " n" : ""}`;

const chosen = { sort: "hour", down: true, words: "", status: "", provider: "", tag: "" };

// One agent's row: made once, then only its texts change.
class Row {
  constructor() {
    const cell = (name, ...children) => h("td", { class: classOf(name), "data-label": COLUMNS.find((column) => column[0] === name)[1] }, ...children);
    this.link = h("a", { class: "name" });
    this.model = h("span", { class: "sub" });
    this.status = h("span", { class: "status" });
    this.by = h("span", { class: "sub" });
    this.costs = ["hour", "day", "total"].map((name) => {
      const spent = h("span", { class: "value" });
      const of = h("span", { class: "of" });
      const fill = bar();
      const both = h("span", { class: "cost" }, spent, of);
      return { name, spent, of, both, fill, cell: cell(name, both, fill.element) };
    });
    this.calls = h("span", { class: "value" });
    this.spark = sparkline();
    this.plain = Object.fromEntries(["tokens", "errors", "flight", "circuit"].map((name) => [name, h("span", { class: "value" })]));
    this.pairs = Object.fromEntries(["forecast", "latency", "first", "rate"].map((name) => [name, [h("span", { class: "value" }), h("span", { class: "sub" })]]));
    this.element = h("tr", {},
      h("th", { scope: "row", class: "c-agent" }, this.link, this.model),
      cell("status", this.status, this.by),
      this.costs.map((cost) => cost.cell),
      cell("forecast", this.pairs.forecast),
      cell("calls", this.calls, this.spark.element),
      cell("tokens", this.plain.tokens), cell("errors", this.plain.errors),
      cell("latency", this.pairs.latency), cell("first", this.pairs.first),
      cell("flight", this.plain.flight), cell("rate", this.pairs.rate), cell("circuit", this.plain.circuit));
  }

  set(agent) {
    if (agent === this.agent) return;
    this.agent = agent;
    text(this.link, agent.id);
    attr(this.link, "href", `#/agents/${encodeURIComponent(agent.id)}`);
    text(this.model, [agent.model, agent.provider].filter(Boolean).join(" · ") || "not called yet");
    attr(this.model, "title", [agent.model, agent.provider, ...agent.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ") || null);
    text(this.status, agent.status);
    this.status.dataset.kind = agent.status;
    text(this.by, agent.paused ? `by ${agent.paused.by}` : "");
    attr(this.by, "title", agent.pause_reason);
    const costs = [agent.cost_this_hour, agent.cost_today, agent.total_cost];
    this.costs.forEach(({ name, spent, of, both, fill }, i) => {
      const cap = capOf(agent, name);
      text(spent, short(costs[i]));
      spent.dataset.kind = dim(costs[i]);
      text(of, cap ? `of ${limit(cap.limit)}` : "");
      attr(both, "title", cap ? `${dollars(cap.spent)} of ${limit(cap.limit)} ${WINDOW[name]}: ${spending(cap)}` : dollars(costs[i]));
      fill.set(cap ? part(cap) : null, cap ? cap.reserved / cap.limit : 0);
    });
    text(this.calls, number(agent.calls_per_minute));
    this.calls.dataset.kind = dim(agent.calls_per_minute);
    this.spark.set(agent.spark);
    this.setPlain(agent);
  }

  setPlain(agent) {
    const ends = forecast(agent);
    const { plain, pairs } = this;
    text(pairs.forecast[0], ends.words);
    attr(pairs.forecast[0], "title", outlook(agent));
    pairs.forecast[0].dataset.kind = ends.seconds < 900 ? "bad" : ends.seconds < 3600 ? "warn" : ends.cap ? "" : "dim";
    text(pairs.forecast[1], ends.cap ? `${ends.cap.name} cap` : "");
    text(plain.tokens, count(agent.tokens_this_hour));
    plain.tokens.dataset.kind = dim(agent.tokens_this_hour);
    text(plain.errors, percent(agent.error_rate));
    plain.errors.dataset.kind = agent.error_rate >= 0.2 ? "bad" : agent.error_rate >= 0.05 ? "warn" : dim(agent.error_rate);
    for (const [value] of [pairs.latency, pairs.first]) value.dataset.kind = dim(agent.p50_ms);
    text(pairs.latency[0], millis(agent.p50_ms));
    text(pairs.latency[1], agent.p95_ms === null ? "" : `p95 ${millis(agent.p95_ms)}`);
    text(pairs.first[0], millis(agent.ttfb_p50_ms));
    text(pairs.first[1], agent.ttfb_p95_ms === null ? "" : `p95 ${millis(agent.ttfb_p95_ms)}`);
    text(plain.flight, number(agent.in_flight));
    plain.flight.dataset.kind = dim(agent.in_flight);
    const rate = tightest(agent);
    text(pairs.rate[0], rate ? rate.left : "no limit");
    text(pairs.rate[1], rate ? rate.of : "");
    for (const one of pairs.rate) attr(one, "title", allowance(agent) || null);
    pairs.rate[0].dataset.kind = rate ? (rate.none ? "warn" : "") : "dim";
    text(plain.circuit, agent.circuit_breaker.state.replace("_", " "));
    plain.circuit.dataset.kind = { open: "bad", half_open: "warn" }[agent.circuit_breaker.state] ?? "dim";
  }
}

export function agentsView() {
  const rows = new Map();
  let list = [];
  const heads = COLUMNS.map(([name, heading, , , words]) => h("th", { scope: "col", class: classOf(name) }, h("button", { type: "button", title: words, onclick: () => sortBy(name) }, heading)));
  const above = h("tr", { class: "gap", "aria-hidden": "true" }, h("td", { colspan: "14" }));
  const below = h("tr", { class: "gap", "aria-hidden": "true" }, h("td", { colspan: "14" }));
  const body = h("tbody", {}, above, below);
  const table = h("table", { class: "agents" }, h("caption", { class: "unseen" }, "Agents"), h("thead", {}, h("tr", {}, heads)), body);
  const box = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Agents", onscroll: () => draw() }, table);
  const found = h("span", { class: "found" });
  const search = h("input", { type: "search", placeholder: "name, tag or model", "aria-label": "Filter by name, tag or model", "data-search": true, value: chosen.words, oninput: () => choose("words", search.value) });
  const status = select("Status", ["active", "idle", "paused"], chosen.status, (value) => choose("status", value));
  const provider = select("Provider", [], chosen.provider, (value) => choose("provider", value));
  const tag = select("Tag", [], chosen.tag, (value) => choose("tag", value));
  const sort = h("select", { onchange: () => sortBy(sort.value) }, COLUMNS.map(([name, heading]) => h("option", { value: name }, heading)));
  const now = justNow();
  const exports = exporter("agents", () => list).map(([name, save]) => h("button", { type: "button", class: "quiet", onclick: save }, name));
  const none = h("div", {});
  const element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Agents"),
    h("div", { class: "tools" }, search, status.element, provider.element, tag.element, h("span", { class: "narrow" }, field("Sort", sort)), found, h("span", { class: "exports" }, h("span", { class: "sub" }, "Export"), exports)), box, none, now.element);

  function choose(name, value) {
    chosen[name] = value;
    box.scrollTop = 0;
    update();
    say(found.textContent);
  }

  function sortBy(name) {
    const largest = COLUMNS.find((column) => column[0] === name)[3];
    chosen.down = chosen.sort === name ? !chosen.down : largest;
    chosen.sort = name;
    update();
  }

  function wanted(agent) {
    const words = chosen.words.trim().toLowerCase();
    const known = [agent.id, agent.model ?? "", ...agent.tags];
    return (!words || known.some((one) => one.toLowerCase().includes(words)))
      && (!chosen.status || agent.status === chosen.status)
      && (!chosen.provider || agent.provider === chosen.provider)
      && (!chosen.tag || agent.tags.includes(chosen.tag));
  }

  function update() {
    const all = [...state.agents.values()];
    const key = COLUMNS.find((column) => column[0] === chosen.sort)[2];
    const sign = chosen.down ? -1 : 1;
    list = all.filter(wanted).map((agent) => [key(agent), agent]).sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.id < y.id ? -1 : 1)).map(([, agent]) => agent);
    COLUMNS.forEach(([name], i) => attr(heads[i], "aria-sort", name !== chosen.sort ? null : chosen.down ? "descending" : "ascending"));
    provider.set([...new Set(all.map((agent) => agent.provider).filter(Boolean))].sort());
    tag.set([...new Set(all.flatMap((agent) => agent.tags))].sort().slice(0, 200));
    text(found, list.length === all.length ? many(all.length, "agent") : `${number(list.length)} of ${many(all.length, "agent")}`);
    sort.value = chosen.sort;
    attr(table, "aria-rowcount", list.length + 1);
    box.hidden = list.length === 0;
    if (list.length) replace(none);
    else if (all.length) replace(none, nothing("No agent matches", "Take a filter away to see more."));
    else replace(none, nothing("No agents yet", "They appear as soon as they are named in gateway.yaml, or call."));
    draw();
  }

  function draw() {
    const height = parseFloat(getComputedStyle(table).getPropertyValue("--row")) || 52;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - AROUND);
    const last = Math.min(list.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + AROUND);
    const shown = new Set(list.slice(first, last).map((agent) => agent.id));
    for (const [id, row] of rows) {
      if (!shown.has(id)) {
        row.element.remove();
        rows.delete(id);
      }
    }
    above.firstChild.style.height = `${first * height}px`;
    below.firstChild.style.height = `${(list.length - last) * height}px`;
    let before = above;
    for (let i = first; i < last; i += 1) {
      const row = rows.get(list[i].id) ?? new Row();
      rows.set(list[i].id, row);
      row.set(list[i]);
      attr(row.element, "aria-rowindex", i + 2);
      if (before.nextSibling !== row.element) before.after(row.element);
      before = row.element;
    }
  }

  function shown() {
    draw();
    now.update();
  }

  addEventListener("resize", shown);
  update();
  return { title: "Agents", element, shown, update(what) {
    if (what.agents) update();
    now.update();
  }, leave: () => removeEventListener("resize", shown) };
}
