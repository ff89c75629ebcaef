import type { Loaded, Target } from "./loads.ts";
import { type Program, upstreamSeen } from "./programs.ts";

/** What a load cost the program it was put on; times in milliseconds unless they say otherwise. */
export interface Run {
  perSecond: number;
  /** Processor time of the program for each call, user and system, microseconds. */
  cpuUs: number;
  p50: number;
  p99: number;
  /** Calls to the vendor for each request: proof that the work was done. */
  upstreamCalls: number;
  /** Resident memory at the end, MiB. */
  rss: number;
}

/** Puts a load on a program. One call, or one in a thousand, may fail, such as those that the end of the load cuts off. */
export async function measure(
  { door, program }: Target,
  upstream: Program,
  load: () => Promise<Loaded>,
): Promise<Run> {
  const seen = await upstreamSeen(upstream);
  const cpuMs = program.cpuMs();
  const { requests, seconds, failed, p50, p99 } = await load();
  const cpuUs = ((program.cpuMs() - cpuMs) * 1000) / requests;
  const after = await upstreamSeen(upstream);
  if (failed > Math.max(1, requests / 1000)) {
    throw new Error(
      `${door}: ${failed} calls failed or were refused as too many, beside ${requests} answered`,
    );
  }
  return {
    perSecond: requests / seconds,
    cpuUs,
    p50,
    p99,
    upstreamCalls: (after.calls - seen.calls) / requests,
    rss: program.rssMiB(),
  };
}
