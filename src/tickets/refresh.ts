import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { Reloadable } from "../lib/memoize.ts";
import type { Secret } from "../lib/redacted.ts";
import type { RefreshFinished, RefreshOutcome, TicketEvents } from "./events.ts";
import { type IssuedToken, readToken, secretOf, writePair } from "./pair.ts";
import type { OpenedPair } from "./pair-cache.ts";
import { abortAfter } from "./protocol/failed-call.ts";
import type { LeaseClaim, Operation } from "./protocol/operations.ts";
import { createPublication } from "./publication.ts";
import type { createRefreshCalls, FailedCall } from "./refresh-calls.ts";
import type { Sealer } from "./sealer.ts";
import type { SharedState, StateView } from "./shared-state.ts";

export interface RefreshOptions {
  secrets: Reloadable<readonly Secret[]>;
  calls: ReturnType<typeof createRefreshCalls>;
  sharedState: SharedState;
  sealer: Sealer;
  adopt: (candidate: OpenedPair) => void;
  clock: Clock;
  random: () => number;
  timings: TicketTimings;
  replica: string;
  /** This process's name for others on its machine (`processes.ts`). */
  process: string | undefined;
  /** Fingerprint of all secrets. */
  credentials: Reloadable<string>;
  events: TicketEvents;
  /** Ends retries of writes; calls to the vendor are never aborted. */
  stopping: AbortSignal;
}

export interface RefreshRequest {
  view: StateView;
  /** The highest generation this replica has cached. */
  atLeast: number;
  /** Whether the pair is old enough for an ordinary refresh, and whether it ends so soon that delays must be short. */
  due: boolean;
  urgent: boolean;
  /** Fingerprint of the secret that obtained the cached pair: it is tried first. */
  secretId: string | undefined;
}

/** Age from which a staged token is not worth a ticket: the pair would end too soon. */
const STAGE_LIFE_MS = 60 * 60_000;

/**
 * One refresh, step by step as in ticket-cache.md 2.4: lease and intent, token, stage, SIGN ticket, adoption, commit. Each
 * step is durable before the next, so that after a crash the successor knows what may have happened at the vendor.
 */
export function createRefresh(options: RefreshOptions) {
  const { secrets, calls, sharedState, sealer, clock, random, timings, replica, credentials, stopping } =
    options;
  const publication = createPublication(options);
  let attempts = 0;

  function stagedToken({ state, now }: StateView): IssuedToken | undefined {
    const { stage } = state;
    // A stage from the future, after the clock went back, is of unknown age.
    if (!stage || now - stage.at > STAGE_LIFE_MS || stage.at - now > timings.floorMs) return undefined;
    const opened = sealer.open(stage.sealed, { generation: stage.generation, kind: "stage" });
    return opened.ok ? readToken(opened.plain) : undefined;
  }

  /** When the lease's last call must have ended, on our monotonic clock: counted from before the request to the store. */
  function deadlineOf({ state, now, requestedAt }: StateView): number {
    const { until, ms } = state.lease ?? { until: now, ms: 0 };
    return requestedAt + Math.min(until - now, ms) - timings.marginMs;
  }

  async function abandon(
    mine: LeaseClaim,
    failed: FailedCall,
    report: RefreshFinished,
    request: RefreshRequest,
    view: StateView,
  ) {
    report.error = failed.error;
    const { insistMs, ...abort } = abortAfter(failed, {
      failures: view.state.failures,
      urgent: request.urgent,
      credentials: credentials(),
      spentMs: Math.floor(report.tokenMs),
      timings,
      random,
    });
    await sharedState.insist({ kind: "abort", ...mine, ...abort }, insistMs, stopping);
    return failed.failed === "late" ? "busy" : failed.failed;
  }

  /** Runs one refresh to its end and fills in the report. Rejects if the store is unreachable at the start. */
  return async (request: RefreshRequest, report: RefreshFinished): Promise<RefreshOutcome> => {
    const staged = stagedToken(request.view);
    const { published, stage } = request.view.state;
    const holder = `${replica}/${++attempts}`;
    const acquire: Operation = {
      kind: "acquire",
      holder,
      credentials: credentials(),
      expected: published?.generation ?? 0,
      atLeast: request.atLeast,
      due: request.due,
      continues: staged && stage?.generation,
      ...(options.process !== undefined && { process: options.process }),
    };
    const { status, generation, view } = await sharedState
      .apply(acquire)
      .catch(() => sharedState.apply(acquire));
    if (status !== "ok" || generation === undefined) return "busy";
    const mine: LeaseClaim = { holder, generation };
    report.generation = generation;
    const continued = view.state.stage;
    if (continued && staged)
      return publication.publish(mine, { token: staged, generation: continued.generation }, view, report);

    const calledAt = clock.monotonic();
    let deadline = deadlineOf(view);
    const result = await calls.token(request.secretId, deadline, async () => {
      const renewed = await sharedState.apply({ kind: "renew", ...mine }).catch(() => undefined);
      if (renewed) deadline = renewed.status === "ok" ? deadlineOf(renewed.view) : Number.NEGATIVE_INFINITY;
      return deadline;
    });
    report.tokenMs = clock.monotonic() - calledAt;
    if ("failed" in result) return abandon(mine, result, report, request, view);
    const { value, lifeMs, secretId } = result;
    // The store's time before the call: the computed end can only be too early, never too late.
    const token: IssuedToken = { accessToken: value, issuedAt: view.now, lifeMs, secretId };
    const sealed = sealer.seal(
      writePair(token),
      { generation, kind: "stage" },
      secretOf(secrets(), secretId),
    );
    const done = await sharedState.apply({ kind: "stage", ...mine, sealed }).catch(() => undefined);
    if (done?.status === "fenced") return publication.orphaned(generation);
    return publication.publish(mine, { token, generation }, view, report);
  };
}
