import type { TicketTimings } from "../../config/ticket-timings.ts";
import { capHolds, doubted, doubtWaitMs, invalidate } from "./doubt.ts";
import type { LeaseClaim, Operation, Transition } from "./operations.ts";
import { bindingBackoff, type TicketState } from "./state.ts";

/**
 * The whole refresh protocol: what an operation does to the state at `now` (the store's clock). Pure; returns the same
 * state object when nothing changes. Operations are idempotent, so one whose response was lost can be repeated.
 */
export function transition(
  state: TicketState,
  operation: Operation,
  now: number,
  timings: TicketTimings,
): Transition {
  switch (operation.kind) {
    case "acquire":
      return acquire(capHolds(state, now, timings), operation, now, timings);
    case "renew":
      return renew(state, operation, now, timings);
    case "bury":
      return bury(state, operation, now, timings);
    case "stage":
      return stage(state, operation, now, timings);
    case "commit":
      return commit(state, operation, now, timings);
    case "abort":
      return abort(state, operation, now);
    case "orphan":
      return { state: doubted(state, state.granted, now), status: "ok" };
    case "invalidate":
      return invalidate(state, operation, now, timings);
    case "heal":
      return heal(state, operation);
  }
}

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

function acquire(
  state: TicketState,
  operation: Of<"acquire">,
  now: number,
  timings: TicketTimings,
): Transition {
  const { holder, expected, atLeast, due, continues, credentials } = operation;
  const { published, granted, lease, intent, doubt } = state;
  const backoff = bindingBackoff(state.backoff, credentials);
  if (lease && lease.until > now) {
    return lease.holder === holder ? { state, status: "ok", generation: granted } : { state, status: "busy" };
  }
  if (published && published.generation > expected) return { state, status: "moved" };
  if (backoff && backoff.until > now) return { state, status: "backoff" };
  if (!due && doubtWaitMs(state, now, timings.floorMs) > 0) return { state, status: "backoff" };

  const generation = Math.max((published?.generation ?? 0) + 1, granted + 1, atLeast + 1, Math.floor(now));
  const { stage, ...rest } = state;
  // The previous refresher died between intent and report without staging a token.
  const vanished = intent && stage?.generation !== intent.generation;
  const suspect = vanished ? doubted(rest, intent.generation, Math.min(intent.at, now)) : rest;
  // A staged token that the caller cannot open, or that a younger doubt covers, must not be continued by any process.
  const carriesOn = stage && stage.generation === continues && !(doubt && doubt.upTo >= stage.generation);
  const next: TicketState = carriesOn
    ? {
        ...suspect,
        stage,
        // No token call will follow, so the intent remains that of the stage.
        intent: { generation: stage.generation, at: now },
        lease: leaseOf(operation, now, timings.silenceMs),
      }
    : {
        ...(stage ? doubted(suspect, stage.generation, Math.min(stage.at, now)) : suspect),
        intent: { generation, at: now },
        lease: leaseOf(operation, now, timings.leaseMs),
      };
  return { state: { ...next, granted: generation }, status: "ok", generation };
}

const leaseOf = ({ holder, process }: { holder: string; process?: string }, now: number, ms: number) => ({
  holder,
  until: now + ms,
  ms,
  ...(process !== undefined && { process }),
});

/** Whether only the ticket is missing: no token call can follow in this lease, whichever process holds it. */
const isStaged = ({ stage, intent }: TicketState) =>
  stage !== undefined && stage.generation === intent?.generation;

function renew(state: TicketState, operation: Of<"renew">, now: number, timings: TicketTimings): Transition {
  const { lease } = state;
  if (!lease || !holds(state, operation)) return { state, status: "fenced" };
  const renewed = leaseOf(lease, now, isStaged(state) ? timings.silenceMs : timings.leaseMs);
  return { state: renewed.until > lease.until ? { ...state, lease: renewed } : state, status: "ok" };
}

/** As if the lease had expired; intent and stage show what its holder may have done. */
function bury(state: TicketState, operation: Of<"bury">, now: number, timings: TicketTimings): Transition {
  const { lease, ...rest } = state;
  if (!lease || !holds(state, operation)) return { state, status: "noop" };
  if (isStaged(state)) return { state: rest, status: "ok" };
  // Its token call may still be in flight: begun before now, and early enough to end within the lease.
  const { tokenTimeoutMs, marginMs } = timings;
  const ms = Math.max(0, Math.min(tokenTimeoutMs, lease.until - marginMs - now));
  return { state: { ...rest, backoff: { until: now + ms, ms } }, status: "ok" };
}

function stage(state: TicketState, operation: Of<"stage">, now: number, timings: TicketTimings): Transition {
  const { generation, sealed } = operation;
  if (!state.lease || !holds(state, operation)) return { state, status: "fenced" };
  if (state.stage?.generation === generation) return { state, status: "ok" };
  // Only the ticket is missing, and any replica can continue from here; so a holder that falls silent now is soon replaced.
  const lease = leaseOf(state.lease, now, timings.silenceMs);
  return { state: { ...state, stage: { generation, sealed, at: now }, lease }, status: "ok" };
}

function commit(
  state: TicketState,
  operation: Of<"commit">,
  now: number,
  timings: TicketTimings,
): Transition {
  const { generation, sealed } = operation;
  if (state.published?.generation === generation) return { state, status: "ok" };
  if (!holds(state, operation)) return { state, status: "fenced" };
  const { schema, granted, doubt, forced } = state;
  return {
    state: {
      schema,
      published: { generation, sealed, at: now },
      granted,
      failures: 0,
      forced,
      intervalMs: timings.refreshIntervalMs,
      // A doubt that arose during this lease may be about this very token.
      ...(doubt && doubt.upTo >= generation && { doubt }),
    },
    status: "ok",
  };
}

function abort(state: TicketState, operation: Of<"abort">, now: number): Transition {
  const { generation, outcome, backoffMs, of } = operation;
  const backoff = { until: now + backoffMs, ms: backoffMs, ...(of !== undefined && { of }) };
  if (!holds(state, operation)) {
    // The call may still reach the vendor, even after its successors' calls.
    if (outcome !== "unknown") return { state, status: "fenced" };
    const later = state.backoff && state.backoff.until > backoff.until ? state.backoff : backoff;
    return {
      state: { ...doubted(state, state.granted, now), backoff: later },
      status: "fenced",
    };
  }
  const { lease: _lease, intent, stage, ...rest } = state;
  const keepsStage = outcome !== "badstage" && stage !== undefined;
  const next: TicketState = {
    ...rest,
    backoff,
    failures: state.failures + 1,
    ...(keepsStage && { stage }),
  };
  // A token that was to be continued but never reached the store is lost.
  const suspect = outcome === "unknown" || outcome === "badstage" || (outcome === "keepstage" && !stage);
  return {
    state: suspect ? doubted(next, generation, Math.min(intent?.at ?? now, now)) : next,
    status: "ok",
  };
}

function heal(state: TicketState, { generation, sealed, at }: Of<"heal">): Transition {
  const { published, granted, lease, intent, stage, ...rest } = state;
  if ((published?.generation ?? 0) >= generation) return { state, status: "noop" };
  // A refresh that began later continues, and its intent and stage show that this pair may be dying.
  const later = granted > generation;
  return {
    state: {
      ...rest,
      published: { generation, sealed, at },
      granted: Math.max(granted, generation),
      // A lease of another generation may have a token call in flight; wait it out. This pair's own has ended.
      ...(lease && granted !== generation && { lease }),
      ...(later && intent && { intent }),
      ...(later && stage && { stage }),
    },
    status: "ok",
  };
}

const holds = ({ granted, lease }: TicketState, { holder, generation }: LeaseClaim) =>
  granted === generation && lease?.holder === holder;
