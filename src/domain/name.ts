import { withoutRadicals } from "./radicals.ts";

/** White space, and what cannot be seen and comes with what is pasted: zero-width, direction and invisible operator characters. */
const BLANK = /[\s\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]/;

/** Full-width letters and digits, and ligatures of Latin letters, as input methods and PDF files have them. */
const PRESENTATION = /[\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\uFB00-\uFB06]+/g;
const VARIANT_OF_HAN = /(?<=\p{Script=Han})[\uFE00-\uFE0F\u{E0100}-\u{E01EF}]+/gu;

/** The dots that are typed for the one between the parts of a name. */
const DOTS = ".\u00B7\u2022\u2024\u2027\u2219\u22C5\u2E31\u2E33\u30FB\uFE52\uFF0E\uFF65";
const SEPARATOR = new RegExp(`(?<=\\p{Script=Han})\\p{Zs}*[${DOTS}]\\p{Zs}*(?=\\p{Script=Han})`, "gu");
const SPACE_IN_HAN = /(?<=\p{Script=Han})\p{Zs}+(?=\p{Script=Han})/gu;

/** A text without blanks and invisible characters at its ends. By hand: an expression would go over a long run again and again. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANK.test(text.charAt(start))) start++;
  while (start < end && BLANK.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Full-width letters and digits, and ligatures, as plain ones. */
export const plainLetters = (text: string): string =>
  text.replaceAll(PRESENTATION, (forms) => forms.normalize("NFKC"));

/**
 * A name as the person's card has it, from what was typed or pasted (docs/names.md says each rule and its source). Of a name
 * in Han characters, the dot between its parts is U+00B7 and there are no blanks; nothing else is guessed, and what cannot be
 * seen within a name is left to be refused.
 */
export function nameOnCard(name: string): string {
  return withoutRadicals(plainLetters(trimmed(name)))
    .normalize("NFC")
    .replaceAll(VARIANT_OF_HAN, "")
    .replaceAll(SEPARATOR, "\u00B7")
    .replaceAll(SPACE_IN_HAN, "");
}
