import { create } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  CheckStatus,
  DiagnoseResponseSchema,
  ForceRefreshResponseSchema,
  TicketAdminService,
  TicketStatusResponseSchema,
} from "../../gen/faceverification/v1/ticket_admin_service_pb.ts";
import { type Implementation, implement } from "../calls/implement.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import type { TicketOperator } from "../tickets/operator.ts";
import type { TicketStatus } from "../tickets/status.ts";

export interface TicketAdminOptions {
  operator: TicketOperator;
  /** ROLE of this process. */
  role: string;
  /**
   * Checks everything the service depends on, without a token call; undefined if this process has no doctor.
   */
  diagnose: (() => Promise<readonly Diagnosis[]>) | undefined;
}

/** The finding of one check. */
export interface Diagnosis {
  check: string;
  status: "ok" | "warn" | "fail" | "skip";
  detail: string;
  cure?: string;
}

const STATUSES = {
  ok: CheckStatus.OK,
  warn: CheckStatus.WARN,
  fail: CheckStatus.FAIL,
  skip: CheckStatus.SKIP,
} as const;

/** TicketAdminService as the admin listener serves it. */
export type TicketAdmin = Implementation<typeof TicketAdminService>;

/** The operators' RPCs. */
export function createTicketAdmin(
  pipeline: Pipeline,
  { operator, role, diagnose }: TicketAdminOptions,
): TicketAdmin {
  return implement(TicketAdminService, pipeline, {
    ticketStatus: async () => create(TicketStatusResponseSchema, { role, ...describe(operator.status()) }),
    forceRefresh: async ({ allowWithoutStore }, { signal, note }) => {
      const { previous, generation, alone } = await operator.forceRefresh(allowWithoutStore, signal);
      note({ generation, previous });
      return create(ForceRefreshResponseSchema, {
        previousGeneration: BigInt(previous),
        generation: BigInt(generation),
        withoutStore: alone,
      });
    },
    diagnose: async () => {
      const checks = (await diagnose?.()) ?? [];
      return create(DiagnoseResponseSchema, {
        checks: checks.map(({ check, status, detail, cure = "" }) => ({
          check,
          status: STATUSES[status],
          detail,
          cure,
        })),
      });
    },
  });
}

/** Formats the snapshot for operators. */
function describe(status: TicketStatus) {
  const { lease, intentMs, stageMs, doubtMs, doubtHoldMs, backoffMs, last } = status;
  return {
    replica: status.replica,
    ready: status.ready,
    reason: status.reason,
    generation: BigInt(status.generation),
    usable: status.usable,
    ...durations({
      age: status.ageMs,
      tokenAge: status.tokenAgeMs,
      signAge: status.signAgeMs,
      hardLimitIn: status.hardLimitInMs,
      refreshIn: status.refreshInMs,
      storeSilent: status.storeSilentMs,
      loopSilent: status.loopSilentMs,
    }),
    storeUp: status.storeUp,
    storeGeneration: BigInt(status.storeGeneration),
    lease: lease ? `${lease.holder}, for ${seconds(lease.endsInMs)} at most` : NONE,
    intent: intentMs === undefined ? NONE : `a refresh began ${seconds(intentMs)} ago and has not reported`,
    stage: stageMs === undefined ? NONE : `a new token has waited ${seconds(stageMs)} for its ticket`,
    doubt:
      doubtMs === undefined
        ? NONE
        : `the pair may be dead since ${seconds(doubtMs)}, to be replaced ${doubtHoldMs > 0 ? `in ${seconds(doubtHoldMs)}` : "now"}`,
    backoff: backoffMs > 0 ? `no refresh for ${seconds(backoffMs)}` : NONE,
    failures: status.failures,
    forcedRotations: status.forcedRotations,
    refreshing: status.refreshing,
    lastRefresh: last
      ? `${last.outcome} for ${last.reason}, generation ${last.generation}, ${seconds(last.agoMs)} ago`
      : NONE,
  };
}

const NONE = "none";

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;

function durations<K extends string>(times: Record<K, number | undefined>): Partial<Record<K, Duration>> {
  const entries = Object.entries<number | undefined>(times).filter(([, ms]) => ms !== undefined);
  return Object.fromEntries(
    entries.map(([name, ms = 0]) => [name, durationFromMs(Math.round(ms))]),
  ) as Partial<Record<K, Duration>>;
}
