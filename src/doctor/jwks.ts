import { about, type Check, codeOf } from "./check.ts";

const PATIENCE_MS = 5_000;

/** Whether the identity provider publishes keys. */
export async function checkJwks(jwksUrl: string | undefined): Promise<Check> {
  const { ok, skip, fail } = about("JWT keys");
  if (jwksUrl === undefined) return skip("JWT_JWKS_URL is not set: end users do not call by themselves");
  const cure = "check JWT_JWKS_URL and the way there";
  try {
    const response = await fetch(jwksUrl, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) return fail(`the identity provider answers with HTTP ${response.status}`, cure);
    const { keys } = (await response.json()) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) return fail("there are no keys", cure);
    return ok(`${keys.length} published`);
  } catch (error) {
    return fail(`cannot be fetched (${codeOf(error)})`, cure);
  }
}
