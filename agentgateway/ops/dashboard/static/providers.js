// Providers: whether they answer, how fast, whose circuits are open towards them, and charts of the one that is chosen.

import { chartGrid } from "./charts.js";
import { attr, h, replace, sparkline, state as nothing, text } from "./dom.js";
import { millis, number, percent, sinceStart } from "./format.js";
import { get } from "./net.js";
import { state } from "./state.js";

const EVERY = 5000;
const HOUR = 3600;

function health(provider) {
  const rate = provider.calls_last_hour ? provider.errors_last_hour / provider.calls_last_hour : 0;
  if (provider.open) return ["bad", "circuits open"];
  if (rate >= 0.2) return ["bad", "failing"];
  if (provider.half_open || rate >= 0.05) return ["warn", "unsteady"];
  if (provider.calls_last_hour) return ["ok", "healthy"];
  return ["dim", state.gateway.uptime_s < HOUR ? `no call ${sinceStart()}` : "no call in the last hour"];
}

// Calls are remembered over a restart, what they took is not.
function nature(provider) {
  const forgotten = provider.calls_last_hour && provider.p50_ms === null && state.gateway.uptime_s < HOUR;
  return `speaks ${provider.api}${forgotten ? `; no answer timed ${sinceStart()}` : ""}`;
}

function card(provider, choose) {
  const status = h("span", { class: "outcome" });
  const sub = h("p", { class: "sub" });
  const spark = sparkline(320, 44);
  const names = ["Calls, last hour", "Errors, last hour", "Latency p50", "Latency p95", "First byte p50", "First byte p95", "Circuits open", "Circuits half open"];
  const values = names.map(() => h("dd", {}));
  const charts = h("button", { type: "button", class: "quiet", "aria-label": `Charts of ${provider.name}`, "aria-pressed": "false", onclick: () => choose(provider.name) }, "Charts");
  const element = h("li", { class: "card provider" }, h("h2", {}, h("span", {}, provider.name), status), sub, h("figure", {}, spark.element, h("figcaption", { class: "sub" }, "Calls in each of the last 30 minutes")), h("dl", { class: "facts" }, names.flatMap((name, i) => [h("div", {}, h("dt", {}, name), values[i])])), h("div", { class: "more" }, charts));
  return { element, charts, set(now) {
    const [kind, words] = health(now);
    status.dataset.kind = kind;
    text(status, words);
    text(sub, nature(now));
    spark.set(now.spark);
    const rate = now.calls_last_hour ? now.errors_last_hour / now.calls_last_hour : 0;
    const shown = [number(now.calls_last_hour), rate ? `${number(now.errors_last_hour)} (${percent(rate)})` : "0", millis(now.p50_ms), millis(now.p95_ms), millis(now.ttfb_p50_ms), millis(now.ttfb_p95_ms), number(now.open), number(now.half_open)];
    shown.forEach((value, i) => text(values[i], value));
    values[1].dataset.kind = rate >= 0.2 ? "bad" : rate >= 0.05 ? "warn" : "";
    values[6].dataset.kind = now.open ? "bad" : "";
    values[7].dataset.kind = now.half_open ? "warn" : "";
  } };
}

export function providersView() {
  const cards = new Map();
  const list = h("ul", { class: "cards" });
  const none = h("div", {});
  const below = h("div", {});
  const element = h("div", { class: "view free" }, h("h1", { class: "unseen" }, "Providers"), list, none, below);
  let chosen = null;
  let grid;

  // Charts of the provider that is chosen, or of all.
  function draw() {
    grid?.destroy();
    grid = chosen === null ? chartGrid("", get, "Calls to all providers") : chartGrid(`provider=${encodeURIComponent(chosen)}`, get, `Calls to ${chosen}`);
    replace(below, grid.element);
    grid.refresh();
  }

  function choose(name) {
    chosen = chosen === name ? null : name;
    draw();
    for (const [other, { charts }] of cards) attr(charts, "aria-pressed", String(other === chosen));
    if (chosen !== null) grid.element.scrollIntoView({ block: "nearest" });
  }

  function update() {
    for (const provider of state.providers) {
      if (!cards.has(provider.name)) {
        cards.set(provider.name, card(provider, choose));
        list.append(cards.get(provider.name).element);
      }
      cards.get(provider.name).set(provider);
    }
    below.hidden = list.hidden = state.providers.length === 0;
    replace(none, state.providers.length ? [] : nothing("No provider has been called", "The first call shows which one it went to."));
  }

  const timer = setInterval(() => grid.refresh(), EVERY);
  draw();
  update();
  return { title: "Providers", element, update, leave() {
    clearInterval(timer);
    grid.destroy();
  } };
}
