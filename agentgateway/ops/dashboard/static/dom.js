// Elements without markup: whatever comes from a call is text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

// An element with properties and children; strings become text nodes, nothing becomes nothing.
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Set the text, if it is another one: what does not change is not announced or laid out again.
export function text(element, value) {
  const wanted = String(value);
  if (element.textContent !== wanted) element.textContent = wanted;
}

export function attr(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// A bar from 0 to 1, with what is only reserved behind what is spent.
export function bar() {
  const spent = h("span", { class: "spent" });
  const held = h("span", { class: "held" });
  const element = h("span", { class: "bar", "aria-hidden": "true" }, held, spent);
  return {
    element,
    set(fraction, reserved = 0) {
      element.hidden = fraction === null;
      if (fraction === null) return;
      spent.style.width = `${Math.min(100, fraction * 100)}%`;
      held.style.width = `${Math.min(100, (fraction + reserved) * 100)}%`;
      element.dataset.level = fraction >= 1 ? "full" : fraction >= 0.75 ? "high" : "fine";
    },
  };
}

// A line of numbers, drawn small.
export function sparkline(width = 72, height = 22) {
  const line = document.createElementNS(SVG, "polyline");
  const area = document.createElementNS(SVG, "polygon");
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("class", "spark");
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  element.append(area, line);
  let last = "";
  return {
    element,
    set(values) {
      const top = Math.max(...values, 1);
      const step = width / Math.max(1, values.length - 1);
      const points = values.map((value, i) => `${(i * step).toFixed(1)},${(height - 1 - (value / top) * (height - 3)).toFixed(1)}`).join(" ");
      if (points === last) return;
      last = points;
      line.setAttribute("points", points);
      area.setAttribute("points", points && `0,${height} ${points} ${width},${height}`);
    },
  };
}

// Tell those who do not see the page what has come of what they did.
export const say = (words) => text(document.getElementById("said"), words);

// A picture for "nothing here" and the like.
export function state(title, words, ...more) {
  return h("div", { class: "state" }, h("h2", {}, title), h("p", {}, words), ...more);
}

export function field(label, control) {
  return h("label", { class: "field" }, h("span", {}, label), control);
}

export function select(label, options, value, onchange) {
  const control = h("select", { onchange: () => onchange(control.value) });
  const element = field(label, control);
  const set = (wanted) => {
    const names = ["", ...wanted];
    if (names.join("\n") === control.dataset.names) return;
    control.dataset.names = names.join("\n");
    const before = control.value || value;
    replace(control, names.map((name) => h("option", { value: name }, name || "all")));
    control.value = names.includes(before) ? before : "";
  };
  set(options);
  return { element, set };
}
