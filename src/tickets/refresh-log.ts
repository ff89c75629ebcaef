import type { Clock } from "../lib/clock.ts";
import type { RefreshFinished, RefreshOutcome, TicketEvents } from "./events.ts";

/** Measures refreshes and reports how each ended. */
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
    /** The last finished refresh, and when it ended on the monotonic clock. */
    get last() {
      return last;
    },

    /** Runs one refresh to its end; `work` fills in the report. An error that it throws is reported too. */
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
