/** An element by id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element; texts become text nodes, never markup. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** As `make`, for drawing. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A condition that does not hold leaves no trace. */
const shownOf = (children) =>
  children.filter((child) => child !== undefined && child !== null && child !== false);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...shownOf(children));
  return element;
}

/**
 * Puts `children` in place of what is in there, unless that is the same already: screen readers stay quiet, and focus stays on
 * the element with the same `data-key`, or else in the same card.
 */
export function replace(element, ...children) {
  const next = element.cloneNode(false);
  next.append(...shownOf(children));
  if (next.innerHTML === element.innerHTML) return;
  const focused = element.contains(document.activeElement) ? document.activeElement : undefined;
  element.replaceChildren(...next.childNodes);
  if (!focused) return;
  const same = [...element.querySelectorAll("[data-key]")].find(
    ({ dataset }) => dataset.key === focused.dataset.key,
  );
  const home = same ?? (element.closest(".card") ?? element).querySelector("h2, h3");
  if (home !== same) home?.setAttribute("tabindex", "-1");
  home?.focus();
}

/** Whether a button may be pressed. Not by `disabled`, which would take the focus away. */
export function setUsable(button, usable) {
  button.setAttribute("aria-disabled", String(!usable));
}

export const isUsable = (button) =>
  button.getAttribute("aria-disabled") !== "true" && button.getAttribute("aria-busy") !== "true";

/** Does the button's work, unless it is under way already. */
export async function busy(button, work) {
  if (!isUsable(button)) return undefined;
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** Brings an element into view, without a jump if it is. */
export const reveal = (element) => element.scrollIntoView({ block: "nearest" });
