import type { Logger } from "pino";
import { UpstreamError } from "../errors.ts";
import type { TicketEvents } from "../tickets/events.ts";
import type { TicketStatus } from "../tickets/status.ts";
import { errorFields, errorFieldsWithStack } from "./logger.ts";
import type { TicketMetrics } from "./ticket-metrics.ts";

/** Log lines and metrics of the ticket cache: generations, ages, classes, never a token (ticket-cache.md 5). */
export function ticketEvents(logger: Logger, metrics: TicketMetrics): TicketEvents {
  return {
    refreshFinished({ reason, outcome, previous, generation, replica, error, ...times }) {
      const line = {
        event: "refresh_finished",
        reason,
        outcome,
        generation,
        previous,
        replica,
        duration_ms: Math.round(times.durationMs),
        token_ms: Math.round(times.tokenMs),
        sign_ms: Math.round(times.signMs),
        commit_ms: Math.round(times.commitMs),
        ...errorFields(error),
      };
      metrics.refreshes.inc({ reason, outcome });
      metrics.refreshSeconds.observe(times.durationMs / 1000);
      if (outcome === "ok") logger.info(line, "tickets refreshed");
      else logger.warn(line, "ticket refresh failed");
    },
    pairAdopted({ generation, own, lagMs }) {
      metrics.adoptLagSeconds.observe(lagMs / 1000);
      logger.info(
        { event: "pair_adopted", generation, own, lag_ms: Math.round(lagMs) },
        "ticket pair adopted",
      );
    },
    pairRejected({ generation, code }) {
      metrics.rejected.inc({ code });
      logger.warn(
        { event: "pair_rejected", generation, upstream_code: code },
        "the vendor refused a ticket pair",
      );
    },
    foreignRotation({ generation, code, ageMs }) {
      metrics.foreignRotations.inc();
      const line = { event: "foreign_rotation", generation, upstream_code: code, age_ms: Math.round(ageMs) };
      logger.error(line, "another installation may use this app id, or its secret was changed");
    },
    pairHealed({ generation }) {
      metrics.heals.inc();
      logger.warn({ event: "pair_healed", generation }, "the store had lost the ticket pair and got it back");
    },
    pairOrphaned({ generation }) {
      metrics.orphans.inc();
      logger.warn({ event: "pair_orphaned", generation }, "another refresh overtook this one");
    },
    recordUnreadable({ why }) {
      metrics.unreadable.inc({ why });
      logger.error({ event: "record_unreadable", why }, "the stored ticket pair cannot be read");
    },
    intervalDiffers({ oursMs, theirsMs }) {
      const line = { event: "interval_differs", ours_s: oursMs / 1000, theirs_s: theirsMs / 1000 };
      logger.warn(line, "another process of this app id has another REFRESH_INTERVAL");
    },
    refresherDied({ holder }) {
      logger.warn({ event: "refresher_died", holder }, "a process died in the middle of a refresh");
    },
    storeChanged({ up, error }) {
      if (up) logger.info({ event: "store_up" }, "the ticket store answers");
      else logger.error({ event: "store_down", ...errorFields(error) }, "the ticket store is away");
    },
    suspended({ silentMs }) {
      metrics.suspensions.inc();
      logger.warn({ event: "suspended", silent_ms: Math.round(silentMs) }, "the process was asleep");
    },
    loopFailed({ error }) {
      logger.error(
        { event: "loop_failed", ...errorFieldsWithStack(error) },
        "a step of the refresh loop failed",
      );
    },
  };
}

/** The transport's cause, such as ECONNREFUSED or HTTP 503. */
const causeOf = (error: unknown) =>
  error instanceof UpstreamError && typeof error.cause === "string" ? error.cause : undefined;

/** The publishable part of the last refresh: its outcome, and the failed call as logged. */
export function lastRefresh({ last }: Pick<TicketStatus, "last">) {
  if (!last) return undefined;
  const { error, code } = errorFields(last.error);
  const why = code ?? causeOf(last.error);
  return { outcome: last.outcome, agoMs: last.agoMs, error: why ? `${error} (${why})` : error };
}
