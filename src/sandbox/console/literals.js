/** A text as a literal of a language, whatever is in it. */
export const LITERALS = {
  shell: (text) => `'${text.replaceAll("'", "'\\''")}'`,
  // JSON's escapes are also those of TypeScript, Go, Java and Python.
  json: (text) => JSON.stringify(text),
  kotlin: (text) =>
    JSON.stringify(text)
      .replaceAll("$", "\\$")
      .replaceAll(/(?<!\\)((?:\\\\)*)\\f/g, "$1\\u000c"),
  swift: (text) =>
    JSON.stringify(text)
      .replaceAll(/(?<!\\)((?:\\\\)*)\\u([0-9a-f]{4})/g, "$1\\u{$2}")
      .replaceAll(/(?<!\\)((?:\\\\)*)\\b/g, "$1\\u{8}")
      .replaceAll(/(?<!\\)((?:\\\\)*)\\f/g, "$1\\u{c}"),
};
