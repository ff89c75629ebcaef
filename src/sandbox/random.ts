import { randomBytes } from "node:crypto";

const WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ALPHABETS = { word: WORD, token: `${WORD}-`, hex: "0123456789abcdef", digits: "0123456789" } as const;

/** Generates `length` characters of an alphabet, by default `word`: tokens, tickets, faceIds, serials. */
export type RandomText = (length: number, alphabet?: keyof typeof ALPHABETS) => string;

/** Random text from `random` (values in [0, 1)), or from the CSPRNG by default. */
export function createRandomText(random?: () => number): RandomText {
  return (length, alphabet = "word") => {
    const letters = ALPHABETS[alphabet];
    const numbers = random ?? secureRandom(length);
    let text = "";
    while (text.length < length) text += letters[Math.floor(numbers() * letters.length)];
    return text;
  };
}

/** A source of `count` numbers in [0, 1) from the CSPRNG. */
function secureRandom(count: number): () => number {
  const bytes = randomBytes(4 * count);
  let at = 0;
  return () => bytes.readUInt32LE(4 * at++) / 2 ** 32;
}

/** A repeatable source of numbers in [0, 1) for `SandboxOptions.random`, from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
