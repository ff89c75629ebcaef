import { createPrivateKey, X509Certificate } from "node:crypto";
import { about, type Check, codeOf, days } from "./check.ts";

const SOON_MS = 14 * 86_400_000;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What becomes of a certificate with time. `now` is the wall clock, milliseconds. */
export function validity(check: string, certificate: X509Certificate, now: number, cure: string): Check {
  const { ok, warn, fail } = about(check);
  const leftMs = Date.parse(certificate.validTo) - now;
  if (leftMs <= 0) return fail(`expired on ${certificate.validTo}`, cure);
  if (Date.parse(certificate.validFrom) > now) return fail(`not valid before ${certificate.validFrom}`, cure);
  if (leftMs < SOON_MS) return warn(`ends in ${days(leftMs)}`, cure);
  return ok(`ends in ${days(leftMs)}`);
}

/** The service's own certificate and key, as the variables name them. */
export function checkCertificates(
  tls: { cert: string; key: string; clientCa: string | undefined } | undefined,
  now: number,
): Check[] {
  const { ok, skip, fail } = about("TLS files");
  if (!tls) return [skip("TLS_CERT_FILE is not set: the listeners speak cleartext")];
  try {
    const chain = (tls.cert.match(PEM) ?? []).map((pem) => new X509Certificate(pem));
    const [leaf] = chain;
    if (!leaf)
      return [fail("there is no certificate in TLS_CERT_FILE", "give a PEM file, the server's own first")];
    const broken = chain.findIndex((each, i) => i > 0 && !chain[i - 1]?.checkIssued(each));
    return [
      leaf.checkPrivateKey(createPrivateKey(tls.key))
        ? ok("certificate and key belong together")
        : fail("TLS_KEY_FILE is not the key of TLS_CERT_FILE", "give the two files that were made together"),
      broken > 0
        ? fail(
            `certificate ${broken + 1} did not sign the one before it`,
            "put the chain in order: server, then its issuer",
          )
        : ok(`chain of ${chain.length}`),
      leaf.subjectAltName
        ? ok(`for ${leaf.subjectAltName}`)
        : fail(
            "the certificate has no subject alternative name",
            "issue it with the names that clients call",
          ),
      validity("TLS certificate", leaf, now, "renew it; a changed file is taken up without a restart"),
      ...(tls.clientCa?.match(PEM) ?? []).map((pem) =>
        validity(
          "TLS client authority",
          new X509Certificate(pem),
          now,
          "put the new authority into TLS_CLIENT_CA_FILE",
        ),
      ),
    ];
  } catch (error) {
    return [
      fail(
        `cannot be read (${codeOf(error)})`,
        "TLS_CERT_FILE and TLS_KEY_FILE must be PEM, the key without password",
      ),
    ];
  }
}
