import { Pii } from "../lib/redacted.ts";

/** The JSON of an answer, from its bytes as they come. */
export interface Body {
  add(chunk: Buffer): void;
  /** Once, after the last chunk; throws for anything that is no JSON. */
  json(): unknown;
}

/** Keeps all of it and reads it in one go: for small answers. */
export function createBody(): Body {
  const chunks: Buffer[] = [];
  return {
    add(chunk) {
      chunks.push(chunk);
    },
    json: () => JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown,
  };
}

/** Most that an answer may have beside its files, bytes: as much as one without files. */
const LONGEST_REST = 256 * 1024;

const QUOTE = 0x22;
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

/** Longest text that is taken for one, bytes. Whatever is longer is a file; the vendor's other texts are far shorter. */
export const LONGEST_TEXT = 4_096;

const BACKSLASH = 0x5c;

/** A text of a JSON document, from the bytes between its quotes as they come. */
export interface JsonText {
  /** Takes what belongs to it from `start` on; says where its end is, a quote without a backslash, or -1 if not in this chunk. */
  add(chunk: Buffer, start: number): number;
  /** What it came to: its bytes, escapes and all, or a file. */
  content(): Buffer | Base64File;
}

export function createJsonText(): JsonText {
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
      if (size > LONGEST_TEXT) {
        file ??= createBase64File();
        file.add(Buffer.concat(pieces.splice(0)));
      }
      return end;
    },
    content: () => file ?? Buffer.concat(pieces),
  };
}

/** A file's bytes, from the Base64 text of an answer as it comes. */
export interface Base64File {
  /** A part of the text between its quotes, escapes and all. The first one holds the beginning up to the comma of a `data:` URL. */
  add(piece: Buffer): void;
  /** Once, after the last piece; undefined when the text is not Base64. Throws where JSON has no such text. */
  bytes(): Buffer | undefined;
}

/** What begins a `data:` URL, which some send in place of bare Base64 (RFC 2397); a slash may come escaped. */
const DATA_URL = /^data:[\w.+\\/-]*(;[\w.=+-]*)*;base64,/i;
const LONGEST_DATA_URL = 256;

/**
 * Decodes piece by piece, as long as there is nothing but Base64. Padding, escapes such as `\/` and line breaks end that:
 * from the piece with the first of them on, the text is read in one go at its end, for it says then how to go on.
 */
export function createBase64File(): Base64File {
  const decoded: Buffer[] = [];
  /** The characters that are no group of four yet. */
  let begun = "";
  const unread: Buffer[] = [];
  let first = true;

  return {
    add(whole) {
      const piece = first ? withoutDataUrl(whole) : whole;
      first = false;
      if (unread.length === 0) {
        const text = begun + piece.toString("latin1");
        const groups = text.length >> 2;
        const bytes = Buffer.from(text.slice(0, groups * 4), "base64");
        // Every other character is left out, and then there are fewer bytes.
        if (bytes.length === groups * 3) {
          decoded.push(bytes);
          begun = text.slice(groups * 4);
          return;
        }
      }
      unread.push(piece);
    },
    bytes() {
      const raw = Buffer.concat([Buffer.from(begun, "latin1"), ...unread]).toString("utf8");
      const last = bareBase64(JSON.parse(`"${raw}"`) as string);
      return last && Buffer.concat([...decoded, last]);
    },
  };
}

/** The bytes of a text in Base64, with or without what begins a `data:` URL; undefined for any other, such as a URL or `null`. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = bareBase64(text.replace(DATA_URL, ""));
  return text === "null" || bytes?.length === 0 ? undefined : bytes;
}

function bareBase64(text: string): Buffer | undefined {
  const bare = text.replace(/\s+/g, "");
  return /^[\w+/-]*={0,2}$/.test(bare) ? Buffer.from(bare, "base64") : undefined;
}

function withoutDataUrl(piece: Buffer): Buffer {
  const [prefix = ""] = DATA_URL.exec(piece.toString("latin1", 0, LONGEST_DATA_URL)) ?? [];
  return piece.subarray(prefix.length);
}
