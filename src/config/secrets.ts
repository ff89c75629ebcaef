import { keyRing, type SealKey } from "../domain/seal-keys.ts";
import type { EnvironmentReader } from "../lib/environment.ts";
import { Secret } from "../lib/redacted.ts";

/** The current secret and, while it is being rotated, the next one. */
export function readSecrets(read: EnvironmentReader): readonly [Secret, ...Secret[]] {
  const secrets = (read.secretText("FACEID_SECRET") ?? "")
    .split(",")
    .filter((secret) => secret.trim() !== "")
    .map((secret) => new Secret(secret.trim()));
  if (secrets.length < 1 || secrets.length > 2) {
    read.problems.push(
      "FACEID_SECRET (or FACEID_SECRET_FILE): must hold the secret, or two separated by a comma",
    );
  }
  // The configuration is refused without one.
  return secrets as [Secret, ...Secret[]];
}

/** Keys that seal what is stored: those of STORE_KEYS, or derived from the secrets. */
export function readSealKeys(read: EnvironmentReader, secrets: readonly Secret[]): SealKey[] {
  const text = read.secretText("STORE_KEYS");
  try {
    return keyRing(text === undefined ? undefined : new Secret(text), secrets);
  } catch (error) {
    read.problems.push(`STORE_KEYS: ${(error as Error).message}`);
    return [];
  }
}
