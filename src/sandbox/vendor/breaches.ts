import type { TurnableClock } from "../turnable-clock.ts";
import type { Endpoint, SandboxRequest } from "./request.ts";
import { RULES, type Rule, type RuleName } from "./rules.ts";

/** One breach of a vendor rule. Contains no name, ID number, secret, token or ticket. */
export interface Breach {
  rule: RuleName;
  /** Sandbox time, milliseconds since the Unix epoch. */
  at: number;
  endpoint: Endpoint;
  detail: string;
  /** The header `x-sandbox-caller`, else address and port. */
  caller: string;
  /** The number of the call that broke it. */
  call: number;
  /** What led to it, if it was not the backend's doing; see `transcripts/causes.ts`. */
  cause?: string;
}

/** Where a breach was found. */
export type BreachSource = Pick<SandboxRequest, "endpoint" | "caller" | "id">;

/** A handler's finding on one rule: whether it is broken, with an optional detail (never a value). */
export type BreachFinding = readonly [rule: RuleName, broken: boolean, detail?: string];

export interface BreachLog {
  readonly list: readonly Breach[];
  add(rule: RuleName, source: BreachSource, detail?: string): void;
  /** Records every broken rule; returns the code of the first that is refused, undefined if none is. */
  judge(request: SandboxRequest, findings: readonly BreachFinding[]): string | undefined;
  clear(): void;
}

/** Without a limit, one faulty client in a load test would exhaust memory. */
const MAX_BREACHES = 10_000;

/** The breaches so far, oldest first. `strict`: also refuse what the vendor only forbids in writing. */
export function createBreachLog(clock: TurnableClock, strict: boolean): BreachLog {
  const list: Breach[] = [];

  function add(rule: RuleName, { endpoint, caller, id }: BreachSource, found?: string): void {
    if (list.length >= MAX_BREACHES) return;
    const { text } = RULES[rule];
    const detail = found ? `${text}: ${found}` : text;
    list.push({ rule, at: clock.now(), endpoint, detail, caller, call: id });
  }

  return {
    list,
    add,
    judge(request, findings) {
      let refusal: string | undefined;
      for (const [name, broken, detail] of findings) {
        if (!broken) continue;
        add(name, request, detail);
        const rule: Rule = RULES[name];
        if (strict || rule.always) refusal ??= rule.code ?? undefined;
      }
      return refusal;
    },
    clear() {
      list.length = 0;
    },
  };
}
