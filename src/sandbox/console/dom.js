/** An element by id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element; texts become text nodes, never markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** As `make`, for drawing. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
}

/** Puts `children` in place of what is in there, unless that is the same already: screen readers stay quiet. */
export function replace(element, ...children) {
  const next = element.cloneNode(false);
  next.append(...children);
  if (next.innerHTML !== element.innerHTML || element.querySelector("button")) {
    element.replaceChildren(...next.childNodes);
  }
}

/** Fetches JSON; `undefined` where nothing answers. */
export async function call(path, { method = "GET", json, form, language } = {}) {
  const started = performance.now();
  const body = json !== undefined ? JSON.stringify(json) : form && new URLSearchParams(form).toString();
  const type = json !== undefined ? "application/json" : "application/x-www-form-urlencoded";
  try {
    const response = await fetch(path, {
      method,
      ...(body !== undefined && { body }),
      headers: {
        ...(body !== undefined && { "content-type": type }),
        ...(language && { "accept-language": language }),
      },
    });
    const answer = await response.json().catch(() => ({}));
    return { status: response.status, answer, tookMs: performance.now() - started };
  } catch {
    return { status: 0, answer: {}, tookMs: performance.now() - started };
  }
}
