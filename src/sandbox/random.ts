import { randomBase62 } from "../lib/base62.ts";

/** Makes `length` characters of [0-9A-Za-z]: tokens, tickets, faceIds and serial numbers. */
export type RandomText = (length: number) => string;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Text from `random` (values in [0, 1)), or from the CSPRNG where none is given. */
export function createRandomText(random?: () => number): RandomText {
  if (!random) return randomBase62;
  return (length) => {
    let text = "";
    while (text.length < length) text += ALPHABET[Math.floor(random() * ALPHABET.length)];
    return text;
  };
}

/** A repeatable source of numbers in [0, 1) for `SandboxOptions.random`; the same 32-bit seed gives the same numbers (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
