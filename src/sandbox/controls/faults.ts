import type { Endpoint } from "../vendor/request.ts";

/**
 * How a call goes wrong.
 * - `delay`: held up for `delayMs` before it is worked; if the caller leaves meanwhile, it never is.
 * - `late`: as `delay`, but worked even when the caller has gone.
 * - `slow_reply`: worked at once, answered after `delayMs`.
 * - `status`: not worked, HTTP `status` (default 503).
 * - `reset`: not worked, the connection is reset.
 * - `lost_reply`: worked, then the connection is reset.
 * - `truncate`: worked, half of the answer is sent and the connection closed.
 * - `html`: not worked, a page instead of JSON, with HTTP `status` (default 200).
 * - `code`: not worked, the vendor's `code` as the answer.
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
] as const;

/** A fault to come. */
export interface FaultSpec {
  endpoint: Endpoint | "any";
  kind: FaultKind;
  /** How many calls it hits; default 1, Infinity (null in JSON) for every one. */
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

/** The script of faults. Of several that match a call, the one added first hits, until its times are over. */
export interface Faults {
  /** Gives the new fault's id. */
  add(spec: FaultSpec): number;
  list(): readonly Fault[];
  /** Drops one fault, or all. */
  clear(id?: number): void;
  /** The fault that hits this call, counted as done; undefined where none does. */
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
