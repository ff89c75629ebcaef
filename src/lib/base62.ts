import { randomFillSync } from "node:crypto";

// Filled in bulk. perf: docs/performance.md#random-pool
const pool = Buffer.alloc(4096);
let used = pool.length;

/** `count` bytes from the CSPRNG, up to 4,096, never reused. Valid until the next call: copy if you keep them. */
export function randomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

/** 80 random bits as text, for what only has to be unique: cheaper than base 62. */
export const randomToken = (): string => randomBytes(10).toString("hex");

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const VALUE = new Map(Array.from(ALPHABET, (character, value) => [character, value] as const));

/** `length` random characters of [0-9A-Za-z] from the CSPRNG, each equally likely. */
export function randomBase62(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length + 8)) {
      // 248 is the largest multiple of 62 in a byte; larger values would favour the first characters.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}

/** A whole number of up to 53 bits in exactly `length` characters; larger ones lose their high part. */
export function toBase62(value: number, length: number): string {
  let text = "";
  let rest = value;
  for (let i = 0; i < length; i++) {
    text = ALPHABET[rest % 62] + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** The number that `toBase62` wrote; NaN for a text with other characters than [0-9A-Za-z]. */
export function fromBase62(text: string): number {
  let value = 0;
  for (const character of text) value = value * 62 + (VALUE.get(character) ?? Number.NaN);
  return value;
}

/** Twelve hexadecimal digits hold slightly more than eight base-62 characters. */
const CHUNK_DIGITS = 12;
const CHUNK_CHARACTERS = 8;

/** Up to 40 base-62 characters of a hexadecimal digest of at least 32 bytes. perf: docs/performance.md#digest-by-hex */
export function digestToBase62(digest: string, length: number): string {
  let text = "";
  for (let at = 0; text.length < length; at += CHUNK_DIGITS) {
    text += toBase62(Number.parseInt(digest.slice(at, at + CHUNK_DIGITS), 16), CHUNK_CHARACTERS);
  }
  return text.slice(0, length);
}
