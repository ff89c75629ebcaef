import type { X509Certificate } from "node:crypto";
import { certificatesIn, type TlsFiles } from "../lib/certificates.ts";
import { type Check, checksFor, codeOf, days } from "./check.ts";

const SOON_MS = 14 * 86_400_000;

/** Checks a certificate's validity period. `now` is the wall clock, milliseconds. */
export function validity(check: string, certificate: X509Certificate, now: number, cure: string): Check {
  const { ok, warn, fail } = checksFor(check);
  const leftMs = Date.parse(certificate.validTo) - now;
  if (leftMs <= 0) return fail(`expired on ${certificate.validTo}`, cure);
  if (Date.parse(certificate.validFrom) > now) return fail(`not valid before ${certificate.validFrom}`, cure);
  if (leftMs < SOON_MS) return warn(`ends in ${days(leftMs)}`, cure);
  return ok(`ends in ${days(leftMs)}`);
}

/** Checks the service's own certificate and key. */
export function checkCertificates(tls: TlsFiles | undefined, now: number): Check[] {
  const { ok, skip, fail } = checksFor("TLS files");
  if (!tls) return [skip("TLS_CERT_FILE is not set: the listeners speak cleartext")];
  // Reading the configuration has already ensured that they parse and belong together.
  const chain = certificatesIn(tls.cert);
  const [leaf] = chain as [X509Certificate, ...X509Certificate[]];
  const broken = chain.findIndex((each, i) => i > 0 && !chain[i - 1]?.checkIssued(each));
  return [
    ok("certificate and key belong together"),
    broken > 0
      ? fail(
          `certificate ${broken + 1} did not sign the one before it`,
          "put the chain in order: server, then its issuer",
        )
      : ok(`chain of ${chain.length}`),
    leaf.subjectAltName
      ? ok(`for ${leaf.subjectAltName}`)
      : fail("the certificate has no subject alternative name", "issue it with the names that clients call"),
    validity("TLS certificate", leaf, now, "renew it; a changed file is taken up without a restart"),
    ...certificatesIn(tls.clientCa ?? "").map((authority) =>
      validity("TLS client authority", authority, now, "put the new authority into TLS_CLIENT_CA_FILE"),
    ),
  ];
}

const TIMEOUT_MS = 5_000;

/** Checks that the identity provider publishes keys. */
export async function checkJwks(jwksUrl: string | undefined): Promise<Check> {
  const { ok, skip, fail } = checksFor("JWT keys");
  if (jwksUrl === undefined) return skip("JWT_JWKS_URL is not set: end users do not call by themselves");
  const cure = "check JWT_JWKS_URL and the way there";
  try {
    const response = await fetch(jwksUrl, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return fail(`the identity provider answers with HTTP ${response.status}`, cure);
    const { keys } = (await response.json()) as { keys?: unknown };
    if (!Array.isArray(keys) || keys.length === 0) return fail("there are no keys", cure);
    return ok(`${keys.length} published`);
  } catch (error) {
    return fail(`cannot be fetched (${codeOf(error)})`, cure);
  }
}
