import type { Clock } from "../lib/clock.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Breach } from "../sandbox/vendor/breaches.ts";
import type { RuleName } from "../sandbox/vendor/rules.ts";
import { SCENARIOS } from "../sandbox/vendor/scenarios.ts";
import { launchFields } from "../sandbox/vendor/sdk.ts";
import { type BackendAnswer, type ExaminedBackend, isSuccess, type Person } from "./backend.ts";

/** The result of examining a rule. */
export interface RuleFinding {
  ok: boolean;
  /** The observation, for people. Never contains a secret, a ticket or personal data. */
  evidence: string;
}

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
  /** Requests launch parameters for a person; throws `NoLaunch` if there are none. */
  launch(person?: Person): Promise<LabLaunch>;
  /** Plays the SDK; resolves to its login code. */
  play(launch: LabLaunch, outcome?: string): Promise<string>;
  /** Retries `work` until it resolves to true or `patienceMs` has passed. */
  eventually(work: () => Promise<boolean>): Promise<boolean>;
  /** Runs `work`, which harms the backend; breaches of `rules` meanwhile do not count. */
  excusing<T>(rules: readonly RuleName[], work: () => Promise<T>): Promise<T>;
  /** Number of calls of each kind to the vendor. */
  calls(): Sandbox["stats"]["calls"];
}

/** The backend returned no launch parameters. */
export class NoLaunch extends Error {
  override name = "NoLaunch";
}

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

  return {
    ...parts,
    launches,
    breaches: (...rules) =>
      sandbox.breaches.filter(
        (breach) => !excused.has(breach) && (rules.length === 0 || rules.includes(breach.rule)),
      ),
    async launch(person = personOf("passed")) {
      const answer = await backend.getFaceParams(person);
      const { orderNo = "", nonce = "", userId = "", faceId = "" } = launchFields(answer.json);
      if (!isSuccess(answer) || orderNo === "" || faceId === "") {
        throw new NoLaunch(
          `no launch parameters: HTTP ${answer.status}, code ${String(answer.json["code"])}`,
        );
      }
      const launch = { orderNo, nonce, userId, answer };
      launches.push(launch);
      return launch;
    },
    async play({ answer }, outcome) {
      const query = outcome === undefined ? "" : `?outcome=${outcome}`;
      const body = JSON.stringify(answer.json);
      const response = await fetch(`${sandbox.url}/sdk/verify${query}`, { method: "POST", body });
      return ((await response.json()) as { code: string }).code;
    },
    async eventually(work) {
      const end = clock.monotonic() + patienceMs;
      while (clock.monotonic() < end) {
        if (await work().catch(() => false)) return true;
        await clock.sleep(PAUSE_MS);
      }
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
}
