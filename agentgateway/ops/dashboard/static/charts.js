// Charts over the gateway's per-minute sums, drawn by uPlot.

import { h } from "./dom.js";
import { dollars, count, millis } from "./format.js";

const INK = "#9aa7b8";
const GRID = "#1e2630";
const HEIGHT = 168;
const NANO = 1e9;
const WHOLE = Array.from({ length: 16 }, (_, i) => [1, 2, 5].map((step) => step * 10 ** i)).flat();
const time = (at) => new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

// what to draw: heading, lines of (label, colour, column), how numbers are written, whether they add up
export const CHARTS = [
  ["Cost", [["cost", "#6ee7c8", (row) => row.cost / NANO]], dollars, true],
  ["Calls", [["answered", "#7cb7ff", (row) => row.calls], ["refused", "#c7a6ff", (row) => row.refused]], count, true],
  ["Tokens", [["in", "#7cb7ff", (row) => row.input_tokens], ["out", "#6ee7c8", (row) => row.output_tokens]], count, true],
  ["Errors", [["errors", "#ff8f8f", (row) => row.errors]], count, true],
  ["Latency", [["p50", "#7cb7ff", (row) => row.p50_ms || null], ["p95", "#f5c76a", (row) => row.p95_ms || null]], millis, false],
  ["First byte", [["p50", "#7cb7ff", (row) => row.ttfb_p50_ms || null], ["p95", "#f5c76a", (row) => row.ttfb_p95_ms || null]], millis, false],
];

// Rows for every span of the time shown; a span without a call is all zeros.
function rowsOf({ now, span, columns }) {
  const known = new Map(columns.at.map((at, i) => [at, Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]]))]));
  const spans = span === 60 ? 60 : 144;
  const last = Math.floor(now / span) * span;
  const none = Object.fromEntries(Object.keys(columns).map((name) => [name, 0]));
  return Array.from({ length: spans }, (_, i) => last - (spans - 1 - i) * span).map((at) => ({ ...(known.get(at) ?? none), at }));
}

// Which values have no neighbour: a line alone would not show them.
const alone = (values) => values.flatMap((value, i) => (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));

export class Chart {
  constructor([title, lines, write, sums]) {
    Object.assign(this, { title, lines, write, sums });
    this.box = h("div", { class: "plot", role: "img" });
    this.summary = h("span", { class: "sub" });
    this.unit = h("span", { class: "sub unit" });
    this.element = h("figure", { class: "card chart" }, h("figcaption", {}, h("span", {}, title), this.summary), this.unit, this.box);
    this.plot = null;
  }

  draw(history) {
    const rows = rowsOf(history);
    const data = [rows.map((row) => row.at), ...this.lines.map(([, , value]) => rows.map(value))];
    const words = this.inWords(rows);
    const each = history.span === 60 ? "minute" : "ten minutes";
    this.summary.textContent = words;
    this.unit.textContent = this.sums ? `in each ${each}` : `of the calls of each ${each}`;
    this.box.setAttribute("aria-label", `${this.title} in the last ${history.span === 60 ? "hour" : "day"}: ${words}`);
    if (this.plot) this.plot.setData(data);
    else if (this.box.clientWidth) this.plot = new uPlot(this.options(), data, this.box);
  }

  inWords(rows) {
    const parts = this.lines.map(([label, , value]) => {
      const values = rows.map(value).filter((one) => one !== null);
      const shown = this.sums ? values.reduce((a, b) => a + b, 0) : values.length ? Math.max(...values) : null;
      if (!this.sums) return `${label} ${this.write(shown)}`;
      return `${this.write(shown)} ${this.lines.length > 1 ? label : "in all"}`;
    });
    return `${this.sums ? "" : "highest "}${parts.join(", ")}`;
  }

  options() {
    const axis = { stroke: INK, grid: { stroke: GRID, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    return {
      width: this.box.clientWidth, height: HEIGHT, padding: [10, 16, 0, 0],
      cursor: { points: { size: 7 }, sync: { key: "charts" } }, legend: { live: true },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, values: (_, marks) => marks.map(time), space: 60, size: 30, gap: 8 },
        { ...axis, size: 62, incrs: this.write === count ? WHOLE : undefined, values: (_, marks) => marks.map((value) => this.write(value)) }],
      series: [{ label: "at", value: (_, at) => (at ? time(at) : "") },
        ...this.lines.map(([label, colour]) => ({ label, stroke: colour, width: 1.6, fill: this.sums ? `${colour}1f` : undefined, points: { show: true, size: 4, filter: (plot, line) => alone(plot.data[line]) }, spanGaps: false, value: (plot, value) => (plot.cursor.idx === null || plot.cursor.idx === undefined ? "" : this.write(value)) }))],
    };
  }

  resize() {
    if (this.plot && this.box.clientWidth) this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT });
  }

  destroy() {
    this.plot?.destroy();
    this.plot = null;
  }
}

// All charts, of an agent, a provider or everything; fetches what they need.
export function chartGrid(query, fetchJson, title = "Charts") {
  const charts = CHARTS.map((one) => new Chart(one));
  let span = "hour";
  let busy = false;
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const pick = (name, words) => h("button", { type: "button", "aria-pressed": String(name === span), onclick: (event) => choose(name, event.currentTarget) }, words);
  const toggle = h("div", { class: "toggle", role: "group", "aria-label": "Time shown" }, pick("hour", "Last hour"), pick("day", "Last day"));
  const element = h("section", { "aria-label": title }, h("div", { class: "section" }, h("h2", {}, title), toggle), problem, h("div", { class: "charts" }, charts.map((chart) => chart.element)));

  function choose(name, button) {
    span = name;
    for (const one of toggle.children) one.setAttribute("aria-pressed", String(one === button));
    refresh();
  }

  async function refresh() {
    if (busy) return;
    busy = true;
    try {
      const history = await fetchJson(`data/history?${query}&span=${span}`);
      problem.hidden = true;
      for (const chart of charts) chart.draw(history);
    } catch (error) {
      problem.textContent = `The charts could not be brought up to date: ${error.message}`;
      problem.hidden = false;
    } finally {
      busy = false;
    }
  }

  const resized = () => charts.forEach((chart) => chart.resize());
  addEventListener("resize", resized);
  return { element, refresh, destroy() {
    removeEventListener("resize", resized);
    charts.forEach((chart) => chart.destroy());
  } };
}
