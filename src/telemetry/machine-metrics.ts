import { Gauge, type Registry } from "prom-client";

/** Time until the first certificate in a file expires, milliseconds; negative once it has. */
export interface CertificateLeft {
  file: string;
  leftMs: number;
}

/** Metrics of the machine the service runs on. */
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
  // Absent rather than a misleading 0 until the vendor has responded.
  clockSkewSeconds.remove();
  return {
    clockSkewSeconds,
    certificates: {
      /** Sets the source that the gauge reads. */
      observe(reader: typeof read) {
        read = reader;
      },
    },
  };
}
