import { randomBase62 } from "../lib/base62.ts";

/** The vendor's nonce: exactly 32 letters and digits, new for every signature (protocol.md 5). */
export const createNonce = (): string => randomBase62(32);
