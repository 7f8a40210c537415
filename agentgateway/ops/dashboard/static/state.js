// What the gateway has told this page so far; views listen to `change`.

const MAX_RECORDS = 1000;
const MAX_ALERTS = 500;

export const state = {
  ready: false,
  at: 0,
  gateway: null,
  providers: [],
  agents: new Map(),
  records: [],
  alerts: [],
  omitted: 0,
  session: { view: true, act: false },
  connection: { kind: "connecting" },
};

export const events = new EventTarget();
export const changed = (what) => events.dispatchEvent(new CustomEvent("change", { detail: what }));

// Take in a snapshot or an update.
export function apply(message) {
  const whole = message.type === "snapshot";
  if (whole) {
    const kept = new Set(state.records.map((record) => record.id));
    state.agents = new Map();
    state.records = [...state.records, ...message.recent.filter((record) => !kept.has(record.id))];
    state.alerts = message.alerts;
  } else {
    state.records.push(...message.recent);
    state.alerts.push(...message.alerts);
    state.omitted += message.omitted;
    for (const id of message.gone) state.agents.delete(id);
  }
  for (const agent of message.agents) state.agents.set(agent.id, agent);
  state.records = state.records.slice(-MAX_RECORDS);
  state.alerts = state.alerts.slice(-MAX_ALERTS);
  state.gateway = message.gateway;
  state.providers = message.providers;
  state.at = Date.parse(message.ts);
  state.ready = true;
  changed({ agents: whole || message.agents.length + message.gone.length > 0, records: message.recent.length > 0, alerts: whole || message.alerts.length > 0 });
}
