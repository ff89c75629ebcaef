/** A file's bytes, from the Base64 text of an answer as it comes. */
export interface Base64File {
  /** A part of the text between its quotes, escapes and all. */
  add(piece: Buffer): void;
  /** Once, after the last piece: what Buffer.from makes of the text. Throws where JSON has no such text. */
  bytes(): Buffer;
}

/**
 * Decodes piece by piece, as long as there is nothing but Base64. Padding, escapes such as `\/` and line breaks end that:
 * from the piece with the first of them on, the text is read in one go at its end, for it says then how to go on.
 */
export function createBase64File(): Base64File {
  const decoded: Buffer[] = [];
  /** The characters that are no group of four yet. */
  let begun = "";
  const unread: Buffer[] = [];

  return {
    add(piece) {
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
      const last = Buffer.from(JSON.parse(`"${raw}"`) as string, "base64");
      return Buffer.concat([...decoded, last]);
    },
  };
}
