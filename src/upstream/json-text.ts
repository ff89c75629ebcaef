import { type Base64File, createBase64File } from "./base64-file.ts";

/** Longest text that is taken for one, bytes. Whatever is longer is a file; the vendor's other texts are far shorter. */
export const LONGEST_TEXT = 4_096;

export const QUOTE = 0x22;
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
