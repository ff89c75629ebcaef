import { X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import type { Dispatcher } from "undici";
import type { Clock } from "../lib/clock.ts";
import { type Check, checksFor, codeOf, seconds } from "./check.ts";
import { validity } from "./keys.ts";

const TIMEOUT_MS = 5_000;
const SKEW_MS = { warn: 30_000, fail: 300_000 };

/** Checks that the vendor's host responds, and its clock skew and certificate. */
export async function checkHost(
  { baseUrl, proxied }: { baseUrl: string; proxied: boolean },
  dispatcher: Dispatcher,
  clock: Clock,
): Promise<Check[]> {
  const { ok, fail } = checksFor("vendor host");
  const { origin, pathname, protocol, hostname, port } = new URL(baseUrl);
  try {
    const startedAt = clock.monotonic();
    // The bare path: no vendor API is called.
    const { headers, body } = await dispatcher.request({
      origin,
      path: pathname,
      method: "GET",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await body.dump();
    const tookMs = clock.monotonic() - startedAt;
    return [
      ok(`${origin} answers in ${Math.round(tookMs)} ms${proxied ? " through the proxy" : ""}`),
      skew(headers["date"], clock.now()),
      ...(protocol === "https:" && !proxied
        ? [await certificateOf(hostname, Number(port || 443), clock.now())]
        : [
            checksFor("vendor TLS").skip(
              proxied ? "not looked at through a proxy" : "the host is asked in cleartext",
            ),
          ]),
    ];
  } catch (error) {
    const code = codeOf(error);
    const cure = /CERT|TLS|SSL|SIGN/.test(code)
      ? "its certificate is not trusted: is something in between? NODE_EXTRA_CA_CERTS adds an authority"
      : "check FACEID_BASE_URL, DNS, the way out of this network, HTTPS_PROXY or ALL_PROXY";
    return [fail(`${origin} does not answer (${code})`, cure)];
  }
}

function skew(date: string | string[] | undefined, now: number): Check {
  const { ok, skip, warn, fail } = checksFor("clock");
  const theirs = Date.parse(String(date));
  if (Number.isNaN(theirs)) return skip("the vendor's host does not say what time it is");
  const offMs = Math.abs(now - theirs);
  const detail = `${seconds(offMs)} ${now > theirs ? "ahead of" : "behind"} the vendor's`;
  const cure = "let this machine keep time (NTP): order numbers, JWTs and signed forms go by it";
  if (offMs > SKEW_MS.fail) return fail(detail, cure);
  // The header has a resolution of one second.
  return offMs > SKEW_MS.warn
    ? warn(detail, cure)
    : ok(`within ${seconds(Math.max(offMs, 1_000))} of the vendor's`);
}

/** Checks the host's certificate against Node's trusted authorities. */
function certificateOf(host: string, port: number, now: number): Promise<Check> {
  const { fail } = checksFor("vendor TLS");
  return new Promise((resolve) => {
    const socket: TLSSocket = connect({ host, port, servername: host, timeout: TIMEOUT_MS }, () => {
      const certificate = new X509Certificate(socket.getPeerCertificate().raw);
      const found = validity("vendor TLS", certificate, now, "the vendor has to renew it; tell them");
      resolve({ ...found, detail: `${socket.getProtocol() ?? ""}, ${found.detail}` });
      socket.destroy();
    });
    const failed = (code: string) => {
      socket.destroy();
      resolve(
        fail(`no secure connection (${code})`, "name, expiry and issuer of its certificate must be right"),
      );
    };
    socket.once("error", (error) => failed(codeOf(error)));
    socket.once("timeout", () => failed("timeout"));
  });
}
