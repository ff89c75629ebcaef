import { Gauge, type Registry } from "prom-client";

/** Time until the certificates of a file end, milliseconds; below 0 when they have. */
export interface CertificateLeft {
  file: string;
  leftMs: number;
}

/** The metrics of the machine that the service runs on. */
export function createMachineMetrics(registry: Registry) {
  const registers = [registry];
  let read: () => readonly CertificateLeft[] = () => [];
  new Gauge({
    name: "faceid_certificate_seconds_to_expiry",
    help: "Time until the first certificate in a file expires; negative when it has.",
    labelNames: ["file"],
    registers,
    collect() {
      this.reset();
      for (const { file, leftMs } of read()) this.set({ file }, leftMs / 1000);
    },
  });
  const clockSkewSeconds = new Gauge({
    name: "faceid_clock_skew_seconds",
    help: "How far this machine's clock is ahead of the vendor's by its last token or ticket answer; negative when it is behind.",
    registers,
  });
  // Nothing rather than a wrong 0 until the vendor has answered.
  clockSkewSeconds.remove();
  return {
    clockSkewSeconds,
    certificates: {
      /** Gives the gauge something to read. */
      observe(reader: typeof read) {
        read = reader;
      },
    },
  };
}
