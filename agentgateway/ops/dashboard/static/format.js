// Numbers and times as people read them. What time it is the gateway says, not the clock of this machine.

import { state } from "./state.js";

const DASH = "–";
const small = new Intl.NumberFormat("en", { maximumFractionDigits: 4, minimumFractionDigits: 2 });
const cents = new Intl.NumberFormat("en", { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 9, minimumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const brief = new Intl.NumberFormat("en", { notation: "compact" });
const whole = new Intl.NumberFormat("en");

export function dollars(value) {
  if (value === null || value === undefined) return DASH;
  if (value === 0) return "$0";
  if (value < 0.0001) return "<$0.0001";
  return "$" + (value < 0.1 ? small : cents).format(value);
}

// The same with as many places as its neighbours in a column.
export const aligned = (value) => (value >= 0.0001 && value < 0.1 ? `$${value.toFixed(4)}` : dollars(value));

// The same for where there is little room.
export function short(value) {
  if (!value) return "$0";
  if (value < 0.001) return "≈$0";
  return value < 0.1 ? `$${value.toFixed(3)}` : value < 10000 ? dollars(value) : `$${compact.format(value)}`;
}

// A cap, to the last of its places: nobody set a rounded one.
export const limit = (value) => `$${(Number.isInteger(value) ? whole : exact).format(value)}`;
export const count = (value) => (value === null || value === undefined ? DASH : value < 10000 ? whole.format(value) : compact.format(value));
export const number = (value) => (value === null || value === undefined ? DASH : whole.format(value));

export const many = (value, word) => `${whole.format(value)} ${word}${value === 1 ? "" : "s"}`;
const present = () => state.at || Date.now();

export function percent(value) {
  if (!value) return "0%";
  return value < 0.001 ? "<0.1%" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)}%`;
}

export function millis(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 1000) return `${Math.round(value)} ms`;
  return value < 100000 ? `${(value / 1000).toFixed(value < 10000 ? 2 : 1)} s` : duration(value / 1000);
}

export function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 59.5) return `${Math.max(0, Math.round(seconds))} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} d`;
}

// The same in one unit, for where there is little room.
export const about = (seconds) => (seconds < 3570 || seconds >= 86370 ? duration(seconds) : `${Math.round(seconds / 3600)} h`);

// The time of day, and the day where it is not today.
export function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const today = date.toDateString() === new Date(present()).toDateString();
  return `${today ? "" : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} `}${date.toLocaleTimeString("en-GB")}`;
}

// How long until then, and when that is.
export function upTo(iso) {
  return `in ${duration((Date.parse(iso) - present()) / 1000)} (${clock(iso).replace(/:00$/, "")})`;
}

// Since when the gateway counts what it does not remember over a restart.
export const sinceStart = () => `since the start ${duration(state.gateway.uptime_s)} ago`;

export function ago(iso) {
  if (!iso) return "never";
  const seconds = (present() - Date.parse(iso)) / 1000;
  return seconds < 5 ? "now" : `${duration(seconds)} ago`;
}

// When the agent's money ends at its present pace: the cap that is reached first, before it is reset.
export function forecast(agent) {
  const pace = agent.cost_per_minute / 60;
  let first = null;
  for (const cap of agent.caps) {
    if (cap.spent >= cap.limit) return { seconds: 0, cap, words: "spent" };
    if (pace <= 0) continue;
    const seconds = (cap.limit - cap.spent) / pace;
    const resets = cap.resets_at ? (Date.parse(cap.resets_at) - present()) / 1000 : Infinity;
    if (seconds < resets && (first === null || seconds < first.seconds)) first = { seconds, cap, words: about(seconds) };
  }
  return first ?? { seconds: Infinity, cap: null, words: agent.caps.length ? "safe" : "no cap" };
}

// What counts against a cap, as a sentence.
export function spending(cap) {
  const held = cap.reserved ? `, ${dollars(cap.reserved)} held by calls in flight` : "";
  const over = cap.spent - cap.limit;
  return `${over > 0 ? `${dollars(over)} over the cap` : `${percent(cap.spent / cap.limit)} spent`}${held}`;
}

// Why an agent is paused, behind words that say that it is; of an operator without a reason the API says no more than that.
export const because = (reason) => (reason === "by an operator" ? "" : `: ${reason}`);

// The forecast as a sentence.
export function outlook(agent) {
  const { cap, seconds, words } = forecast(agent);
  if (agent.caps.length === 0) return "No cap is set: it may spend what it likes.";
  if (cap === null) return "At its present pace no cap is reached before it resets.";
  if (seconds === 0) return `The cap ${WINDOW[cap.name]} is spent.`;
  return `At its present pace, ${dollars(agent.cost_per_minute)} a minute, the cap ${WINDOW[cap.name]} is reached in ${words}.`;
}

// The limit of calls that is nearest to refusing one: how much is left of how much. None without any.
export function tightest(agent) {
  const { rate_limit: rate, token_limit: tokens, max_concurrency: most } = agent;
  const found = [];
  const add = (left, all, word, per) => found.push({ part: left / all, none: left < 1, left: `${brief.format(left)}${word}`, of: `of ${brief.format(all)}${per}` });
  const split = (limit) => [parseInt(limit, 10), limit.slice(limit.indexOf("/"))];
  for (const [limit, word] of [[rate, ""], [tokens, " tok"]]) {
    if (!limit) continue;
    const [all, per] = split(limit.limit);
    add(Math.floor(limit.available), all, word, per);
  }
  if (most) add(Math.max(0, most - agent.in_flight), most, " free", "");
  return found.sort((a, b) => a.part - b.part)[0] ?? null;
}

// All of them, as a sentence.
export function allowance(agent) {
  const { rate_limit: rate, token_limit: tokens, max_concurrency: most } = agent;
  return [rate && `${number(rate.available)} calls left of ${rate.limit}`, tokens && `${number(tokens.available)} tokens left of ${tokens.limit}`, most && `${many(agent.in_flight, "call")} of ${most} at once`].filter(Boolean).join(", ");
}

export const capOf = (agent, name) => agent.caps.find((cap) => cap.name === name) ?? null;
export const WINDOW = { hour: "per hour", day: "per day", total: "in total" };
