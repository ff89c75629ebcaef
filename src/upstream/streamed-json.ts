import { Pii } from "../lib/redacted.ts";

/** Parses a response's JSON from its chunks. */
export interface Body {
  add(chunk: Buffer): void;
  /** Call once, after the last chunk; throws for anything that is not JSON. */
  json(): unknown;
}

/** Buffers everything and parses it in one go, for small responses. */
export function createBody(): Body {
  const chunks: Buffer[] = [];
  return {
    add(chunk) {
      chunks.push(chunk);
    },
    json: () => JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown,
  };
}

/** Max size of a response without its files, bytes: the same as for responses that have none. */
const MAX_REST_BYTES = 256 * 1024;

const QUOTE = 0x22;
const ONE_QUOTE = Buffer.of(QUOTE);

/** Replaces a string that is too long for anything but a file, and is not Base64. */
export const NO_FILE = Symbol("not a file");

const asValue = (bytes: Buffer | undefined) => (bytes ? new Pii<Uint8Array>(bytes) : NO_FILE);

/**
 * Extracts files from a response as it arrives: each string longer than MAX_TEXT_BYTES is decoded from Base64
 * piece by piece and replaced by a `Pii<Uint8Array>`, or by `NO_FILE` if it is not Base64. Everything else is
 * parsed as by JSON.parse.
 * perf: docs/performance.md#streamed-files
 */
export function createBodyWithFiles(): Body {
  /** The response with a mark in place of each file. */
  const rest: Buffer[] = [];
  let size = 0;
  const files = new Map<string, Base64File>();
  let text: JsonText | undefined;

  function keep(bytes: Buffer): void {
    size += bytes.length;
    if (size <= MAX_REST_BYTES) rest.push(bytes);
  }

  function keepText(content: Buffer | Base64File): void {
    if (Buffer.isBuffer(content)) {
      keep(ONE_QUOTE);
      keep(content);
      keep(ONE_QUOTE);
    } else {
      // No vendor string begins with a control character; one that did could only name a file of the same
      // response.
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
      if (text || size > MAX_REST_BYTES) throw new SyntaxError("a text without an end, or too much of them");
      const found = new Map([...files].map(([mark, file]) => [mark, asValue(file.bytes())]));
      return JSON.parse(Buffer.concat(rest).toString("utf8"), (_name, value: unknown) =>
        typeof value === "string" ? (found.get(value) ?? value) : value,
      ) as unknown;
    },
  };
}

/** Length above which a string is a file, bytes; the vendor's other strings are far shorter. */
export const MAX_TEXT_BYTES = 4_096;

const BACKSLASH = 0x5c;

/** A JSON string, read from the chunks between its quotes. */
export interface JsonText {
  /** Consumes its part of the chunk from `start`; returns the index of its closing quote, or -1 if absent. */
  add(chunk: Buffer, start: number): number;
  /** Its raw bytes, including escapes, or a file. */
  content(): Buffer | Base64File;
}

function createJsonText(): JsonText {
  const pieces: Buffer[] = [];
  let size = 0;
  let file: Base64File | undefined;
  /** Whether the next byte follows the backslash of an escape. */
  let escaped = false;

  function endOf(chunk: Buffer, start: number): number {
    for (let from = escaped ? start + 1 : start; ; ) {
      const quote = chunk.indexOf(QUOTE, from);
      let backslash = quote === -1 ? chunk.length : quote;
      const end = backslash;
      while (backslash > from && chunk[backslash - 1] === BACKSLASH) backslash -= 1;
      escaped = (end - backslash) % 2 === 1;
      if (quote === -1 || !escaped) return quote;
      from = quote + 1;
    }
  }

  return {
    add(chunk, start) {
      const end = endOf(chunk, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      size += piece.length;
      pieces.push(piece);
      if (size > MAX_TEXT_BYTES) {
        file ??= createBase64File();
        file.add(Buffer.concat(pieces.splice(0)));
      }
      return end;
    },
    content: () => file ?? Buffer.concat(pieces),
  };
}

/** Decodes a file from the pieces of a Base64 string. */
export interface Base64File {
  /** Adds a raw piece, escapes included. The first must contain the whole prefix of any `data:` URL. */
  add(piece: Buffer): void;
  /** Call once, after the last piece; undefined if it is not Base64. Throws if it is no valid JSON string. */
  bytes(): Buffer | undefined;
}

/** The prefix of a `data:` URL, sometimes sent instead of bare Base64 (RFC 2397); slashes may be escaped. */
const DATA_URL = /^data:[\w.+\\/-]*(;[\w.=+-]*)*;base64,/i;
const MAX_DATA_URL_BYTES = 256;

/**
 * Decodes piece by piece while a piece contains nothing but Base64. From the first piece with padding, a line
 * break or an escape such as `\/` on, the text is buffered and decoded in one go at the end.
 */
function createBase64File(): Base64File {
  const decoded: Buffer[] = [];
  /** Characters of an incomplete group of four. */
  let partial = "";
  const buffered: Buffer[] = [];
  let first = true;

  return {
    add(whole) {
      const piece = first ? withoutDataUrl(whole) : whole;
      first = false;
      if (buffered.length === 0) {
        const text = partial + piece.toString("latin1");
        const groups = text.length >> 2;
        const bytes = Buffer.from(text.slice(0, groups * 4), "base64");
        // Buffer.from skips any other character, so a shorter result means that there was one.
        if (bytes.length === groups * 3) {
          decoded.push(bytes);
          partial = text.slice(groups * 4);
          return;
        }
      }
      buffered.push(piece);
    },
    bytes() {
      const raw = Buffer.concat([Buffer.from(partial, "latin1"), ...buffered]).toString("utf8");
      const last = bareBase64(JSON.parse(`"${raw}"`) as string);
      return last && Buffer.concat([...decoded, last]);
    },
  };
}

/** Decodes Base64, with or without a `data:` URL prefix; undefined for anything else, such as `null`. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = bareBase64(text.replace(DATA_URL, ""));
  return text === "null" || bytes?.length === 0 ? undefined : bytes;
}

function bareBase64(text: string): Buffer | undefined {
  const bare = text.replace(/\s+/g, "");
  return /^[\w+/-]*={0,2}$/.test(bare) ? Buffer.from(bare, "base64") : undefined;
}

function withoutDataUrl(piece: Buffer): Buffer {
  const [prefix = ""] = DATA_URL.exec(piece.toString("latin1", 0, MAX_DATA_URL_BYTES)) ?? [];
  return piece.subarray(prefix.length);
}
