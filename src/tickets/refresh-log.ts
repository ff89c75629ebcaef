import type { Clock } from "../lib/clock.ts";
import type { RefreshFinished, RefreshOutcome, TicketEvents } from "./events.ts";

/** Watches refreshes and tells what became of each. */
export function createRefreshLog({
  clock,
  events,
  replica,
}: {
  clock: Clock;
  events: TicketEvents;
  replica: string;
}) {
  let last: (RefreshFinished & { at: number }) | undefined;

  return {
    /** What ended last, and when on the monotonic clock. */
    get last() {
      return last;
    },

    /** Runs one refresh to its end; `work` fills in the report as it goes. What it throws is reported too. */
    async watch(
      { reason, previous }: Pick<RefreshFinished, "reason" | "previous">,
      work: (report: RefreshFinished) => Promise<RefreshOutcome>,
    ): Promise<RefreshOutcome> {
      const startedAt = clock.monotonic();
      const report: RefreshFinished = {
        reason,
        outcome: "store",
        previous,
        generation: 0,
        durationMs: 0,
        tokenMs: 0,
        signMs: 0,
        commitMs: 0,
        replica,
        error: undefined,
      };
      try {
        report.outcome = await work(report);
      } catch (error) {
        report.error = error;
      }
      const now = clock.monotonic();
      report.durationMs = now - startedAt;
      if (report.outcome !== "busy") {
        last = { ...report, at: now };
        events.refreshFinished(report);
      }
      return report.outcome;
    },
  };
}
