import type { RuleName } from "../vendor/rules.ts";

/** What the console's own buttons did that a backend could not foresee. */
export type Intervention = "revoke" | "rotate" | "secret" | "clock" | "fault" | "latency";

/** Why a rule was broken, where it was not the backend's doing; `console`: the page made the call itself. */
export type Cause = Intervention | "console";

/** The header `x-sandbox-caller` of the page. */
export const CONSOLE_CALLER = "console";

const CREDENTIAL: readonly Intervention[] = ["revoke", "secret", "rotate", "clock"];
const REPEATED: readonly Intervention[] = ["fault", "latency"];

/** The interventions that can lead an honest backend to break a rule. */
const POSSIBLE: Readonly<Partial<Record<RuleName, readonly Intervention[]>>> = {
  token_dead: CREDENTIAL,
  sign_ticket_dead: CREDENTIAL,
  nonce_ticket_dead: CREDENTIAL,
  face_id_expired: ["clock"],
  secret_wrong: ["secret"],
  overlapping_refresh: REPEATED,
  overlapping_sign_ticket: REPEATED,
  order_no_reused: ["fault"],
  nonce_reused: ["fault"],
};

/** How far back an intervention counts where no credential says so, milliseconds. */
const RECENT_MS = 300_000;
/** How many interventions are remembered. */
const REMEMBERED = 200;

/** Remembers interventions, and finds the one behind a breach. */
export interface Causes {
  intervened(kind: Intervention): void;
  /** `issuedAt`: when the token or ticket used was issued; whatever harmed it came later. */
  causeOf(rule: RuleName, call: { caller: string; issuedAt: number | undefined }): Cause | undefined;
  clear(): void;
}

export function createCauses(clock: { now(): number }): Causes {
  let interventions: { kind: Intervention; at: number }[] = [];
  return {
    intervened(kind) {
      interventions.push({ kind, at: clock.now() });
      interventions = interventions.slice(-REMEMBERED);
    },
    causeOf(rule, { caller, issuedAt }) {
      const since = issuedAt ?? clock.now() - RECENT_MS;
      const latest = interventions.findLast(
        ({ kind, at }) => at >= since && (POSSIBLE[rule] ?? []).includes(kind),
      );
      return latest?.kind ?? (caller === CONSOLE_CALLER ? "console" : undefined);
    },
    clear() {
      interventions = [];
    },
  };
}
