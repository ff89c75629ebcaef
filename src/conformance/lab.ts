import type { Clock } from "../lib/clock.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Breach } from "../sandbox/vendor/breaches.ts";
import type { RuleName } from "../sandbox/vendor/rules.ts";
import { SCENARIOS } from "../sandbox/vendor/scenarios.ts";
import { launchFields } from "../sandbox/vendor/sdk.ts";
import {
  type BackendAnswer,
  describeAnswer,
  type ExaminedBackend,
  isSuccess,
  type Person,
} from "./backend.ts";

/** The result of examining a rule. A rule that could not be examined was not kept. */
export interface RuleFinding {
  outcome: "kept" | "broken" | "not_examined";
  /** The observation, or why there is none, for people. Never contains a secret, a ticket or personal data. */
  evidence: string;
}

/** Broken by what is `wrong`, if anything; otherwise kept, by the evidence. */
export const findingOf = (wrong: readonly string[], evidence: string): RuleFinding =>
  wrong.length === 0 ? { outcome: "kept", evidence } : { outcome: "broken", evidence: wrong.join("; ") };

export const notExamined = (reason: string): RuleFinding => ({ outcome: "not_examined", evidence: reason });

/** What a backend must do before a rule about it means anything. */
export type Need = "launch" | "verdict";

/** Launch parameters from the backend, named as in protocol.md 5.1. */
export interface LabLaunch {
  orderNo: string;
  nonce: string;
  userId: string;
  answer: BackendAnswer;
}

/** A backend, its simulated vendor, and the observations so far. */
export interface Lab {
  sandbox: Sandbox;
  backend: ExaminedBackend;
  clock: Clock;
  /** How long a backend may take to recover, milliseconds. */
  patienceMs: number;
  /** Every successful launch. */
  launches: readonly LabLaunch[];
  /** Breaches of vendor rules, except those that the examination itself provoked. */
  breaches(...rules: RuleName[]): readonly Breach[];
  /** Why the backend does not do this; undefined if it does. Tried once, for as long as `patienceMs`. */
  lacks(need: Need): Promise<string | undefined>;
  /** Requests launch parameters for a person; throws `NoLaunch` if there are none. */
  launch(person?: Person): Promise<LabLaunch>;
  /** Plays the SDK; resolves to its login code. */
  play(launch: LabLaunch): Promise<string>;
  /** A launch that the SDK has played; throws `NoLaunch` if either fails. */
  attempt(person?: Person): Promise<LabLaunch>;
  /** Revokes every token while several people launch, once; resolves to how the backend came through. */
  revoke(): Promise<Recovery>;
  /** Retries `work` until it resolves to true or `patienceMs` has passed. */
  eventually(work: () => Promise<boolean>): Promise<boolean>;
  /** Runs `work`, which harms the backend; breaches of `rules` meanwhile do not count. */
  excusing<T>(rules: readonly RuleName[], work: () => Promise<T>): Promise<T>;
  /** Number of calls of each kind to the vendor. */
  calls(): Sandbox["stats"]["calls"];
}

/** How a backend came through the revocation of its token. */
export interface Recovery {
  /** Whether a verification passed again. */
  passed: boolean;
  seconds: string;
  tokenCalls: number;
}

/** The backend returned no launch parameters, or none that start the SDK. */
export class NoLaunch extends Error {
  override name = "NoLaunch";
}

/** Latency of the vendor while tokens are revoked, milliseconds: long enough for refreshes to overlap if they can. */
const LATENCY_MS = 100;

/** The person of a scenario: its ID number decides the outcome. */
export function personOf(scenario: string): Person {
  const { idNo = "" } = SCENARIOS.find(({ name }) => name === scenario) ?? {};
  return { name: "张三", idNo };
}

/** Pause between two attempts, milliseconds. */
const PAUSE_MS = 250;

export function createLab(parts: Pick<Lab, "sandbox" | "backend" | "clock" | "patienceMs">): Lab {
  const { sandbox, backend, clock, patienceMs } = parts;
  const launches: LabLaunch[] = [];
  const excused = new Set<Breach>();
  const proofs: Partial<Record<Need, Promise<string | undefined>>> = {};
  let recovery: Promise<Recovery> | undefined;

  async function prove(need: Need): Promise<string | undefined> {
    let reason = "";
    const works = await lab.eventually(async () => {
      sandbox.advance(3_000);
      reason = await (need === "launch" ? whyNoLaunch() : whyNoVerdict()).catch(
        (error: unknown) => (error as Error).message,
      );
      return reason === "";
    });
    return works ? undefined : reason;
  }

  async function whyNoLaunch(): Promise<string> {
    await lab.attempt();
    return "";
  }

  async function whyNoVerdict(): Promise<string> {
    const { orderNo } = await lab.attempt();
    const answer = await backend.getResult(orderNo);
    return isSuccess(answer) ? "" : `a verification that passed was answered ${describeAnswer(answer)}`;
  }

  async function revokeAll(): Promise<Recovery> {
    const before = sandbox.stats.calls.access_token;
    const startedAt = clock.monotonic();
    sandbox.latencyMs = LATENCY_MS;
    const harmed = ["token_dead", "sign_ticket_dead", "nonce_too_frequent"] as const;
    const passed = await lab.excusing(harmed, async () => {
      sandbox.revoke();
      // All calls notice at once.
      const people = SCENARIOS.filter(({ at }) => at === "query").map(({ name }) => personOf(name));
      await Promise.all(people.map((person) => backend.getFaceParams(person).catch(() => undefined)));
      return lab.eventually(async () => {
        sandbox.advance(3_000);
        return (await whyNoVerdict()) === "";
      });
    });
    sandbox.latencyMs = 0;
    const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(1);
    return { passed, seconds, tokenCalls: sandbox.stats.calls.access_token - before };
  }

  const lab: Lab = {
    ...parts,
    launches,
    breaches: (...rules) =>
      sandbox.breaches.filter(
        (breach) => !excused.has(breach) && (rules.length === 0 || rules.includes(breach.rule)),
      ),
    lacks: (need) => (proofs[need] ??= prove(need)),
    async launch(person = personOf("passed")) {
      const answer = await backend.getFaceParams(person);
      const { orderNo = "", nonce = "", userId = "", faceId = "" } = launchFields(answer.json);
      if (!isSuccess(answer) || orderNo === "" || faceId === "") {
        throw new NoLaunch(`no launch parameters: ${describeAnswer(answer)}`);
      }
      const launch = { orderNo, nonce, userId, answer };
      launches.push(launch);
      return launch;
    },
    async play({ answer }) {
      const body = JSON.stringify(answer.json);
      const response = await fetch(`${sandbox.url}/sdk/verify`, { method: "POST", body });
      return ((await response.json()) as { code: string }).code;
    },
    async attempt(person) {
      const launch = await lab.launch(person);
      const code = await lab.play(launch);
      if (code !== "0") throw new NoLaunch(`the SDK's login answered ${code}`);
      return launch;
    },
    revoke: () => (recovery ??= revokeAll()),
    async eventually(work) {
      const end = clock.monotonic() + patienceMs;
      do {
        if (await work().catch(() => false)) return true;
        await clock.sleep(PAUSE_MS);
      } while (clock.monotonic() < end);
      return false;
    },
    async excusing(rules, work) {
      const before = sandbox.breaches.length;
      try {
        return await work();
      } finally {
        for (const breach of sandbox.breaches.slice(before))
          if (rules.includes(breach.rule)) excused.add(breach);
      }
    },
    calls: () => sandbox.stats.calls,
  };
  return lab;
}
