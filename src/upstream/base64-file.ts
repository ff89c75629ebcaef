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
