import { randomBytes } from "../lib/random.ts";

/** The vendor's nonce: exactly 32 letters and digits, new for every signature (protocol.md 5); 128 bits are random. */
export const createNonce = (): string => randomBytes(16).toString("hex");
