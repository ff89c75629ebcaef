import type { Endpoint } from "../vendor/request.ts";

/**
 * How a call fails.
 * - `delay`: delayed by `delayMs` before it is executed; never executed if the caller disconnects meanwhile.
 * - `late`: like `delay`, but executed even if the caller has disconnected.
 * - `slow_reply`: executed immediately, answered after `delayMs`.
 * - `status`: not executed, HTTP `status` (default 503).
 * - `reset`: not executed, the connection is reset.
 * - `lost_reply`: executed, then the connection is reset.
 * - `truncate`: executed, half of the response is sent and the connection closed.
 * - `html`: not executed, a page instead of JSON, with HTTP `status` (default 200).
 * - `code`: not executed, answered with the vendor's `code`.
 *
 * On `web_return`, and only there, the browser is sent back
 * - `forged_signature`: with a success that the vendor has not signed, whatever the outcome;
 * - `stale_signature`: with a signature made with the oldest SIGN ticket that is remembered;
 * - `missing_signature`: without a signature.
 */
export type FaultKind = (typeof FAULT_KINDS)[number];

export const FAULT_KINDS = [
  "delay",
  "late",
  "slow_reply",
  "status",
  "reset",
  "lost_reply",
  "truncate",
  "html",
  "code",
  "forged_signature",
  "stale_signature",
  "missing_signature",
] as const;

/** The kinds that are about the way back from a page. */
export const RETURN_FAULTS: readonly FaultKind[] = [
  "forged_signature",
  "stale_signature",
  "missing_signature",
];

/** A scripted fault. */
export interface FaultSpec {
  endpoint: Endpoint | "any";
  kind: FaultKind;
  /** How many calls it affects; default 1, Infinity (null in JSON) for all. */
  times?: number | null;
  /** How many matching calls pass before it begins; default 0. */
  after?: number;
  /** Milliseconds of sandbox time; default 1000. */
  delayMs?: number;
  /** HTTP status. */
  status?: number;
  /** The vendor's code; default "66660021". */
  code?: string;
}

export interface Fault extends FaultSpec {
  id: number;
  times: number;
  after: number;
}

/**
 * The scripted faults. If several match a call, the one added first applies, until its `times` are used up.
 */
export interface Faults {
  /** Returns the new fault's id. */
  add(spec: FaultSpec): number;
  list(): readonly Fault[];
  /** Drops one fault, or all. */
  clear(id?: number): void;
  /** Takes the fault for this call and counts it as used; undefined if there is none. */
  take(endpoint: Endpoint): Fault | undefined;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];
  let lastId = 0;
  return {
    add(spec) {
      lastId += 1;
      faults.push({
        ...spec,
        id: lastId,
        times: spec.times === null ? Infinity : (spec.times ?? 1),
        after: spec.after ?? 0,
      });
      return lastId;
    },
    list: () => faults.map((fault) => ({ ...fault })),
    clear(id) {
      faults = id === undefined ? [] : faults.filter((fault) => fault.id !== id);
    },
    take(endpoint) {
      const fault = faults.find((each) => each.endpoint === endpoint || each.endpoint === "any");
      if (!fault) return undefined;
      if (fault.after > 0) {
        fault.after -= 1;
        return undefined;
      }
      fault.times -= 1;
      if (fault.times <= 0) faults = faults.filter((each) => each !== fault);
      return fault;
    },
  };
}
