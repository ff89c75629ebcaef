import type { Clock } from "../lib/clock.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Breach } from "../sandbox/vendor/breaches.ts";
import type { RuleName } from "../sandbox/vendor/rules.ts";
import { SCENARIOS } from "../sandbox/vendor/scenarios.ts";
import { launchFields } from "../sandbox/vendor/sdk.ts";
import { type BackendAnswer, type ExaminedBackend, isSuccess, type Person } from "./backend.ts";

/** What a rule's examination came to. */
export interface RuleFinding {
  ok: boolean;
  /** What was seen, for people. Never a value of a secret, ticket or person. */
  evidence: string;
}

/** Launch parameters as the backend gave them, by their names of protocol.md 5.1. */
export interface LabLaunch {
  orderNo: string;
  nonce: string;
  userId: string;
  answer: BackendAnswer;
}

/** A backend, the vendor that is played for it, and what was seen so far. */
export interface Lab {
  sandbox: Sandbox;
  backend: ExaminedBackend;
  clock: Clock;
  /** How long a backend may take to recover, milliseconds. */
  patienceMs: number;
  /** Every launch that came to be. */
  launches: readonly LabLaunch[];
  /** Vendor rules broken, except those that the examination itself brought about. */
  breaches(...rules: RuleName[]): readonly Breach[];
  /** Parameters for a person; throws `NoLaunch` where none come. */
  launch(person?: Person): Promise<LabLaunch>;
  /** Plays the SDK; gives the code of its login. */
  play(launch: LabLaunch, outcome?: string): Promise<string>;
  /** Tries `work` again until it holds or patience ends. */
  eventually(work: () => Promise<boolean>): Promise<boolean>;
  /** Does harm to the backend; breaches of `rules` meanwhile are not its own. */
  excusing<T>(rules: readonly RuleName[], work: () => Promise<T>): Promise<T>;
  /** How many calls of each kind the vendor has seen. */
  calls(): Sandbox["stats"]["calls"];
}

/** The backend gave no launch parameters. */
export class NoLaunch extends Error {
  override name = "NoLaunch";
}

/** The person of a scenario: its ID number decides the outcome. */
export function personOf(scenario: string): Person {
  const { idNo = "" } = SCENARIOS.find(({ name }) => name === scenario) ?? {};
  return { name: "张三", idNo };
}

/** Pause between two tries, milliseconds. */
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
