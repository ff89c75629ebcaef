import { TEXTS } from "./texts.js";

const STORED = "console-language";
const listeners = [];
let current = "zh";

export const language = () => current;

/** The text of a key; `{name}` is filled in. A key without text comes back as it is. */
export function t(key, values = {}) {
  const text = TEXTS[current][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Whether there is a text for the key. */
export const hasText = (key) => key in TEXTS[current];

/** Calls `listener` after every change of language, the first included. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** The language chosen before, else the browser's, Chinese or English. */
export function startLanguages() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      localStorage.setItem(STORED, button.dataset.language);
      setLanguage(button.dataset.language);
    });
  }
  setLanguage(localStorage.getItem(STORED) ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en"));
}

function setLanguage(next) {
  current = next in TEXTS ? next : "en";
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
  for (const element of document.querySelectorAll("[data-t-title]"))
    element.title = t(element.dataset.tTitle);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === current));
  }
  for (const listener of listeners) listener();
}
