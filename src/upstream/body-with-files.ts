import { Pii } from "../lib/pii.ts";
import type { Base64File } from "./base64-file.ts";
import type { Body } from "./body.ts";
import { createJsonText, type JsonText, QUOTE } from "./json-text.ts";

/** Most that an answer may have beside its files, bytes: as much as one without files. */
const LONGEST_REST = 256 * 1024;

const ONE_QUOTE = Buffer.of(QUOTE);

/** Stands for a text that is too long for anything but a file, and is none. */
export const NO_FILE = Symbol("not a file");

const asValue = (bytes: Buffer | undefined) => (bytes ? new Pii<Uint8Array>(bytes) : NO_FILE);

/**
 * Takes the files out of an answer while it comes: each text longer than LONGEST_TEXT is decoded from Base64 bit by bit, and
 * the JSON has a `Pii<Uint8Array>` in its place, or `NO_FILE` for one that is not Base64. For 11 MB read in one go would stop the event loop. The rest is read as
 * JSON.parse reads it.
 */
export function createBodyWithFiles(): Body {
  /** The answer with a mark in place of each file. */
  const rest: Buffer[] = [];
  let size = 0;
  const files = new Map<string, Base64File>();
  let text: JsonText | undefined;

  function keep(bytes: Buffer): void {
    size += bytes.length;
    if (size <= LONGEST_REST) rest.push(bytes);
  }

  function keepText(content: Buffer | Base64File): void {
    if (Buffer.isBuffer(content)) {
      keep(ONE_QUOTE);
      keep(content);
      keep(ONE_QUOTE);
    } else {
      // No text of the vendor's begins with a control character; one that did could only name a file of the same answer.
      const mark = `\u0000${files.size}`;
      files.set(mark, content);
      keep(Buffer.from(JSON.stringify(mark)));
    }
  }

  return {
    add(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const end = text ? text.add(chunk, at) : chunk.indexOf(QUOTE, at);
        if (!text) keep(chunk.subarray(at, end === -1 ? chunk.length : end));
        if (end === -1) return;
        if (text) keepText(text.content());
        text = text ? undefined : createJsonText();
        at = end + 1;
      }
    },
    json() {
      if (text || size > LONGEST_REST) throw new SyntaxError("a text without an end, or too much of them");
      const found = new Map([...files].map(([mark, file]) => [mark, asValue(file.bytes())]));
      return JSON.parse(Buffer.concat(rest).toString("utf8"), (_name, value: unknown) =>
        typeof value === "string" ? (found.get(value) ?? value) : value,
      ) as unknown;
    },
  };
}
