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
