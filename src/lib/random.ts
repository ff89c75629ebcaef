import { randomFillSync } from "node:crypto";

// The CSPRNG is asked for many bytes at once: each question costs more than all the bytes that a request needs.
const pool = Buffer.alloc(4096);
let used = pool.length;

/** `count` bytes from the CSPRNG, up to 4,096, never handed out before. They must be read before the next call. */
export function randomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}
