import type { TicketTimings } from "../domain/timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Mine } from "./operation.ts";
import type { Register } from "./register.ts";

/** A ready-made reason to end a sleep. */
const DONE = new Error("done");

/** Renews the lease again and again while `work` runs: a beat that is missing says that this process is in trouble. */
export async function whileBeating<T>(
  { register, clock, timings }: { register: Register; clock: Clock; timings: Pick<TicketTimings, "beatMs"> },
  mine: Mine,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();

  async function beat(): Promise<void> {
    for (;;) {
      await clock.sleep(timings.beatMs, done.signal);
      // One that is lost is made good by the next; who was overtaken learns it from the commit.
      await register.apply({ kind: "renew", ...mine }).catch(() => undefined);
    }
  }

  beat().catch(() => undefined);
  try {
    return await work();
  } finally {
    done.abort(DONE);
  }
}
