import type { RuleName } from "../vendor/rules.ts";
import type { CredentialLife } from "./signed.ts";

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
/** An intervention and its effect are read from the clock one after the other, milliseconds. */
const SAME_MS = 100;
/** How many interventions are remembered. */
const REMEMBERED = 200;

/** Remembers interventions, and finds the one behind a breach. */
export interface Causes {
  intervened(kind: Intervention): void;
  /** `life`: that of the token or ticket used; whatever harmed it came later, and tells by when it died. */
  causeOf(rule: RuleName, call: { caller: string; life: CredentialLife | undefined }): Cause | undefined;
  clear(): void;
}

export function createCauses(clock: { now(): number }, overlapMs: number): Causes {
  let interventions: { kind: Intervention; at: number }[] = [];

  /** Whether it ended the credential's life itself; a turned clock only brought the end nearer. */
  const killed = ({ kind, at }: (typeof interventions)[number], { expiresAt }: CredentialLife) =>
    Math.abs(expiresAt - (kind === "rotate" ? at + overlapMs : at)) <= SAME_MS && kind !== "clock";

  return {
    intervened(kind) {
      interventions.push({ kind, at: clock.now() });
      interventions = interventions.slice(-REMEMBERED);
    },
    causeOf(rule, { caller, life }) {
      const kinds = POSSIBLE[rule] ?? [];
      // Only what came after a credential can have harmed it; other rules have none.
      const since = kinds === CREDENTIAL && life ? life.issuedAt : clock.now() - RECENT_MS;
      const possible = interventions.filter(({ kind, at }) => at >= since && kinds.includes(kind));
      const found =
        kinds === CREDENTIAL && life
          ? (possible.findLast((each) => killed(each, life)) ??
            possible.findLast(({ kind }) => kind === "clock"))
          : possible.at(-1);
      return found?.kind ?? (caller === CONSOLE_CALLER ? "console" : undefined);
    },
    clear() {
      interventions = [];
    },
  };
}
