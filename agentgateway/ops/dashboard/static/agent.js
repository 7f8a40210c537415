// One agent: how it stands, its charts, its calls, and what can be done about it.

import { changeBudget, pause, resetBreaker, resume } from "./actions.js";
import { bar, h, replace, state as nothing, text } from "./dom.js";
import { chartGrid } from "./charts.js";
import { exporter } from "./export.js";
import { ago, because, capOf, clock, count, dollars, limit, many, millis, number, outlook, percent, spending, upTo, WINDOW } from "./format.js";
import { get } from "./net.js";
import { ended } from "./record.js";
import { recordTable } from "./records.js";
import { state } from "./state.js";

const EVERY = 5000;
const pair = (agent, middle, high) => (middle === null ? (agent.call_count ? "none since the start" : "no call yet") : [h("span", {}, millis(middle)), ", ", h("span", {}, millis(high))]);
const PAUSED_BY = { operator: "an operator", policy: "a policy", budget: "its budget" };
const fact = (name, value, kind = "") => h("div", {}, h("dt", {}, name), h("dd", { "data-kind": kind }, value));

// Which caps are not the configuration's, and what that one says.
function byOperator(detail, name) {
  if (!(name in (detail?.caps_of_operator ?? {}))) return null;
  const cap = detail.caps_of_operator[name];
  return `Set by an operator; the configuration says ${cap === null ? "no cap" : limit(cap)}`;
}

function capsCard(agent, detail) {
  const note = (name) => h("span", { class: "sub note" }, byOperator(detail, name));
  const caps = [...agent.caps].reverse().map((cap) => {
    const fill = bar();
    fill.set(cap.spent / cap.limit, cap.reserved / cap.limit);
    const reset = cap.resets_at ? `resets ${upTo(cap.resets_at)}` : "never resets";
    return h("li", {}, h("div", { class: "line" }, h("span", {}, `${dollars(cap.spent)} of ${limit(cap.limit)} ${WINDOW[cap.name]}`), h("span", { class: "sub" }, reset)), fill.element, h("span", { class: "sub" }, spending(cap)), note(cap.name));
  });
  const lifted = Object.keys(WINDOW).filter((name) => !capOf(agent, name) && byOperator(detail, name)).map((name) => h("li", {}, `No cap ${WINDOW[name]}`, note(name)));
  return [h("h2", {}, "Budget"), caps.length + lifted.length > 0 && h("ul", { class: "caps" }, caps, lifted), h("p", { class: "sub" }, outlook(agent))];
}

function limitsCard(agent, detail) {
  const limits = detail?.limits;
  const known = (words) => (limits ? words : "…");
  const circuits = Object.entries(agent.circuit_breaker.providers).map(([name, one]) => fact(`Circuit to ${name}`, one.retry_at ? `${one.state}, tried again ${upTo(one.retry_at)}` : `${one.state.replace("_", " ")}, ${many(one.errors, "recent error")}`, { open: "bad", half_open: "warn" }[one.state]));
  return [h("h2", {}, "Limits"), h("dl", { class: "facts" },
    fact("Calls", agent.rate_limit ? `${Math.floor(agent.rate_limit.available)} calls left of ${agent.rate_limit.limit}` : "no limit"),
    fact("Tokens", agent.token_limit ? `${count(agent.token_limit.available)} tokens left of ${agent.token_limit.limit}` : "no limit"),
    fact("At once", agent.max_concurrency ? `${many(agent.in_flight, "call")} of ${agent.max_concurrency}` : "no limit"),
    fact("Falls back to", known(limits?.fallback.join(", ") || "nothing")),
    fact("Gateway key", known(limits?.needs_key ? "asked for" : "not asked for")), circuits)];
}

function policiesCard(detail) {
  const policies = detail?.policies ?? [];
  const items = policies.map((policy) => h("li", {}, h("span", { class: "outcome", "data-kind": policy.holds ? "bad" : "ok" }, policy.holds ? "holds" : "does not hold"), h("span", {}, h("span", { class: "value" }, `${policy.name}: ${policy.action}`), h("code", { class: "sub" }, policy.condition))));
  return [h("h2", {}, "Policies"), items.length ? h("ul", { class: "policies" }, items) : h("p", { class: "sub" }, detail ? "None is for this agent." : "…")];
}

export function agentView(id) {
  let detail = null;
  let records = [];
  let last = "";
  let missed = true; // records that only the gateway can tell
  let loaded = false;
  let omitted = state.omitted;
  const query = `agent=${encodeURIComponent(id)}`;
  const status = h("span", { class: "status", hidden: true });
  const why = h("p", { class: "why", hidden: true });
  const sub = h("p", { class: "sub" });
  const actions = h("div", { class: "actions" });
  const [budget, limits, policies] = [1, 2, 3].map(() => h("section", { class: "card" }));
  const facts = h("dl", { class: "facts wide" });
  const charts = chartGrid(query, get);
  const table = recordTable(`Calls of ${id}, newest first`, 50, true);
  const none = h("div", {});
  const exports = exporter(`calls-${id}`, () => records).map(([name, save]) => h("button", { type: "button", class: "quiet", onclick: save }, name));
  const content = h("div", { class: "agent" }, facts, h("div", { class: "three" }, budget, limits, policies), charts.element,
    h("div", { class: "section" }, h("h2", {}, "Recent calls"), h("span", { class: "exports" }, h("span", { class: "sub" }, "Export"), exports)), table.element, none);
  const gone = h("div", { hidden: true });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const element = h("div", { class: "view free" }, h("a", { class: "back", href: "#/agents" }, "← All agents"), h("div", { class: "title" }, h("div", {}, h("h1", {}, h("span", {}, id), status), sub), actions), why, problem, content, gone);

  async function refresh() {
    const wanted = missed;
    missed = false;
    try {
      detail = await get(`data/agents/${encodeURIComponent(id)}`);
      if (wanted) add(await get(`data/calls?${query}`));
      problem.hidden = gone.hidden = true;
      content.hidden = false;
      loaded = true;
      draw();
      await charts.refresh();
    } catch (error) {
      missed ||= wanted;
      if (error.status !== 404) {
        problem.textContent = `This page could not be brought up to date: ${error.message}`;
        problem.hidden = state.connection.kind !== "live"; // the banner says so then
        return;
      }
      content.hidden = true;
      gone.hidden = false;
      replace(gone, nothing("There is no such agent", `Nobody called ${id} is configured, and nobody of that name has called.`));
    }
  }

  function add(more) {
    const known = new Set(records.map((record) => record.id));
    records = [...records, ...more.filter((record) => !known.has(record.id))].sort((a, b) => ended(a) - ended(b)).slice(-1000);
  }

  function act(agent) {
    const after = () => refresh();
    const button = (words, kind, does) => h("button", { type: "button", class: kind, onclick: () => does(state.agents.get(id) ?? agent, after) }, words);
    return [agent.status === "paused" ? button("Resume", "primary", resume) : button("Pause", "danger", pause), button("Change budget", "", changeBudget), button("Reset breaker", "", resetBreaker)];
  }

  function draw() {
    const agent = state.agents.get(id) ?? detail;
    if (!agent) return;
    text(status, agent.status);
    status.dataset.kind = agent.status;
    status.hidden = false;
    text(sub, [agent.model, agent.provider, ...agent.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ") || "not called yet");
    const until = agent.paused?.until ? `, resumes by itself ${upTo(agent.paused.until)}` : "";
    text(why, agent.paused ? `Paused by ${PAUSED_BY[agent.paused.by] ?? agent.paused.by} since ${clock(agent.paused.since)}${until}${because(agent.paused.reason)}` : "");
    why.hidden = !agent.paused;
    if (last !== agent.status) replace(actions, act(agent));
    last = agent.status;
    replace(facts, fact("This hour", dollars(agent.cost_this_hour)), fact("Today", dollars(agent.cost_today)), fact("In total", dollars(agent.total_cost)), fact("Calls a minute", number(agent.calls_per_minute)),
      fact("Calls in total", number(agent.call_count)), fact("Tokens in", count(agent.input_tokens)), fact("Tokens out", count(agent.output_tokens)), fact("Errors this hour", percent(agent.error_rate), agent.error_rate >= 0.2 ? "bad" : ""),
      fact("Latency p50, p95", pair(agent, agent.p50_ms, agent.p95_ms)), fact("First byte p50, p95", pair(agent, agent.ttfb_p50_ms, agent.ttfb_p95_ms)), fact("In flight", many(agent.in_flight, "call")), fact("Last call", ago(agent.last_call)));
    replace(budget, capsCard(agent, detail));
    replace(limits, limitsCard(agent, detail));
    replace(policies, policiesCard(detail));
    table.set(records);
    table.element.hidden = records.length === 0;
    replace(none, records.length || !loaded ? [] : nothing("No calls yet", "The first one appears here at once."));
  }

  function update(what) {
    if (what.records) add(state.records.slice(-200).filter((record) => record.agent === id));
    missed ||= what.connection === true || omitted !== state.omitted;
    omitted = state.omitted;
    if (what.agents || what.records) draw();
  }

  const timer = setInterval(refresh, EVERY);
  draw();
  refresh();
  return { title: id, element, update, leave() {
    clearInterval(timer);
    charts.destroy();
  } };
}
