// What changes something: each asks, does, and says how it went.

import { field, h } from "./dom.js";
import { because, limit, WINDOW } from "./format.js";
import { connect, disconnect, post, refreshSession } from "./net.js";
import { changed, state } from "./state.js";

export function toast(words, kind = "done") {
  const element = h("div", { class: `toast ${kind}` }, words);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), 7000);
}

// A question in a dialog. `act` gets the form's fields; what it throws is shown in the dialog, which then stays.
export function ask({ title, words, fields = [], verb, danger = false, act }) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, verb);
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", { method: "dialog" }, h("h2", { id: "ask-title" }, title), words && h("p", {}, words), fields, problem, h("div", { class: "buttons" }, cancel, go));
  const dialog = h("dialog", { "aria-labelledby": "ask-title", onclose: () => dialog.remove() }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    problem.hidden = true;
    try {
      await act(new FormData(form));
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      go.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  (form.querySelector("input") ?? go).focus();
  return dialog;
}

const tokenField = () => field("Admin token", h("input", { name: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" }));
const tokenHelp = "It is in the file admin-token of the gateway's state folder, or in AGENTGATEWAY_ADMIN_TOKEN.";

async function logIn(form) {
  await post("login", { token: form.get("token") });
  await refreshSession();
}

export function askForToken(then = () => {}) {
  ask({ title: "Log in to act", words: `Seeing is open on this machine; changing things wants the admin token. ${tokenHelp}`, fields: [tokenField()], verb: "Log in",
    act: async (form) => {
      await logIn(form);
      toast("Logged in.");
      then();
    } });
}

export async function logOut() {
  await post("logout");
  disconnect();
  toast("Logged out.");
  state.ready = false;
  changed({ session: true });
  connect();
}

// The whole page, where nothing may be shown without the token.
export function loginPage() {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const form = h("form", { class: "login" }, h("h1", {}, "This gateway wants the admin token"), h("p", {}, tokenHelp), tokenField(), problem, h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Log in")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await logIn(new FormData(form));
      connect();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
  return form;
}

// Ask, once it is known that this browser may act.
function question(options) {
  if (state.session.act) return ask(options);
  return askForToken(() => ask(options));
}

async function act(path, body, words, after) {
  try {
    const answer = await post(path, body);
    toast(words);
    after?.(answer);
  } catch (error) {
    if (error.status === 401) await refreshSession();
    throw error;
  }
}

const reason = (hint) => field("Reason", h("input", { name: "reason", maxlength: "500", placeholder: hint, autocomplete: "off" }));
const pathOf = (agent, verb) => `act/agents/${encodeURIComponent(agent.id)}/${verb}`;

export function pause(agent, after) {
  question({ title: `Pause ${agent.id}?`, words: "Its calls are refused from now on; those in flight finish.", fields: [reason("what others should know")], verb: "Pause", danger: true,
    act: (form) => act(pathOf(agent, "pause"), { reason: form.get("reason") }, `${agent.id} is paused.`, after) });
}

export function resume(agent, after) {
  question({ title: `Resume ${agent.id}?`, words: agent.pause_reason ? `It is paused${because(agent.pause_reason)}` : null, fields: [reason("why it may go on")], verb: "Resume",
    act: (form) => act(pathOf(agent, "resume"), { reason: form.get("reason") }, `${agent.id} may call again.`, after) });
}

export function resetBreaker(agent, after) {
  question({ title: `Close the circuits of ${agent.id}?`, words: "Its errors are forgotten and its calls go to their providers again, at once.", verb: "Close them",
    act: () => act(pathOf(agent, "breaker"), {}, `The circuits of ${agent.id} are closed.`, after) });
}

export function changeBudget(agent, after) {
  const expected = "Dollars, such as 2.50; empty for no cap";
  const names = { hour: "max_cost_per_hour", day: "max_cost_per_day", total: "max_cost_total" };
  const fields = Object.entries(names).map(([name, key]) => {
    const now = agent.budget[key];
    const input = h("input", { name: key, inputmode: "decimal", autocomplete: "off", pattern: "[0-9]+[.]?[0-9]*|[.][0-9]+", title: expected, placeholder: "no cap", value: now === null ? "" : String(now) });
    return field(`Dollars ${WINDOW[name]}${now === null ? "" : ` (now ${limit(now)})`}`, input);
  });
  question({ title: `Budget of ${agent.id}`, words: "In effect at once, for calls in flight too. An empty field is no cap.", fields, verb: "Change",
    act: async (form) => {
      const asked = {};
      for (const key of Object.values(names)) {
        const wanted = form.get(key).trim() === "" ? null : form.get(key).trim();
        if (wanted !== (agent.budget[key] === null ? null : String(agent.budget[key]))) asked[key] = wanted;
      }
      if (Object.keys(asked).length === 0) throw new Error("Nothing was changed.");
      await act(pathOf(agent, "budget"), asked, `The budget of ${agent.id} is changed.`, after);
    } });
}

export function endStream(stream, after) {
  question({ title: "End this stream?", words: `${stream.agent}, ${stream.model ?? "unknown model"}: its caller is told that an operator has ended the answer. What came so far is paid for.`, verb: "End it", danger: true,
    act: () => act(`act/streams/${encodeURIComponent(stream.id)}/end`, {}, `The stream of ${stream.agent} is ended.`, after) });
}
