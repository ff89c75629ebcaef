import type { Logger } from "pino";
import type { TlsRefused } from "../events.ts";
import type { CertificateEnd } from "../lib/certificates.ts";
import type { Clock } from "../lib/clock.ts";
import { createEdgeDetector } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

const DAY_MS = 86_400_000;
/**
 * A certificate that expires sooner is due for renewal, milliseconds; the same limit as in the doctor and the
 * alerts.
 */
const SOON_MS = 14 * DAY_MS;
/** Max clock skew, milliseconds: the vendor reports whole seconds, and its responses take a few. */
const SKEW_MS = 30_000;

/** Events about the machine the service runs on, and about clients that fail to connect. */
export function machineEvents(logger: Logger, metrics: Metrics, clock: Clock) {
  const clockEdge = createEdgeDetector();
  let ends: readonly CertificateEnd[] = [];
  metrics.certificates.observe(() =>
    ends.map(({ file, notAfter }) => ({ file, leftMs: notAfter - clock.now() })),
  );

  return {
    configWarned({ warnings }: { warnings: readonly string[] }) {
      logger.warn({ event: "config_warning", warnings }, "the environment has what is probably not meant");
    },

    /** `aheadMs`: how far this machine's clock is ahead of the vendor's, milliseconds. */
    clockCompared({ aheadMs }: { aheadMs: number }) {
      const ahead = Math.round(aheadMs / 1000);
      metrics.clockSkewSeconds.set(ahead);
      const right = Math.abs(aheadMs) <= SKEW_MS;
      if (!clockEdge.changes(right)) return;
      const line = { event: right ? "clock_right" : "clock_skewed", ahead_s: ahead };
      if (right) logger.info(line, "the clock agrees with the vendor's again");
      else logger.warn(line, "this machine's clock and the vendor's differ: let it keep time (NTP)");
    },

    /** Certificates now in use; those already in use before are not logged again. */
    certificatesLoaded(loaded: readonly CertificateEnd[]) {
      const before = new Map(ends.map(({ file, notAfter }) => [file, notAfter]));
      ends = loaded;
      for (const { file, notAfter } of loaded) {
        if (before.get(file) === notAfter) continue;
        const leftMs = notAfter - clock.now();
        const line = {
          event: "certificate_loaded",
          file,
          not_after: new Date(notAfter).toISOString(),
          days_left: Math.floor(leftMs / DAY_MS),
        };
        if (leftMs <= 0) logger.error(line, "a certificate has expired");
        else if (leftMs < SOON_MS) logger.warn(line, "a certificate expires soon");
        else logger.info(line, "a certificate is in use");
      }
    },

    tlsRefused({ port, why, peer, certificate, others }: TlsRefused) {
      logger.warn(
        { event: "tls_refused", port, why, peer, certificate, others },
        "a client was refused in the TLS handshake",
      );
    },
  };
}
