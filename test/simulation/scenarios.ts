import type { ROLLOUTS } from "./rollout.ts";
import type { Boundary } from "./store-model.ts";

/** What goes wrong in a run: chances per refresh or per event, and how often the surroundings misbehave. */
export interface Scenario {
  name: string;
  /** Chance per refresh that the refresher dies, or is stopped, at one of its boundaries. */
  crash?: number;
  pause?: number;
  /** Chance that the reply to a token call is lost after the vendor has rotated. */
  lostReply?: number;
  /** Chance that a write is lost by a failover of the store right after it. */
  failover?: number;
  /** Chance per refresh that the machine of all processes loses its power, and what was not yet synced. */
  powerLoss?: number;
  /** All processes share one machine, and see each other die. */
  oneMachine?: boolean;
  /** Chance that the vendor takes seconds for a token call. */
  slow?: number;
  /** Keys or secrets are changed, in one process after the other. */
  rollout?: keyof typeof ROLLOUTS;
  /** REFRESH_INTERVAL of the first process, the second and so on, milliseconds; the last counts for the rest. */
  intervalsMs?: readonly number[];
  /** Mean time between jumps of the store's clock, milliseconds. */
  clockJumpEveryMs?: number;
  /** Mean time between outages of the token endpoint (up to 15 min), wipes of the store and partitions, milliseconds. */
  tokenOutageEveryMs?: number;
  wipeEveryMs?: number;
  partitionEveryMs?: number;
  /** Chance that a hint is lost. */
  dropHints?: number;
  /** Another installation with the same app id asks for a token as often as this, milliseconds. */
  foreignEveryMs?: number;
  /** The store is away from the one moment to the other. */
  storeAway?: { fromMs: number; toMs: number };
  /** What happens, all at once and once only, when a boundary is passed for the nth time after the first pair. */
  once?: {
    boundary: Boundary;
    nth: number;
    crash?: boolean;
    pauseMs?: number;
    /** The reply to the next call is lost. */
    loseReply?: boolean;
    failOverMs?: number;
    wipe?: boolean;
    jumpMs?: number;
  };
}

const MINUTE = 60_000;

/** The scenarios of ticket-cache.md 4.3, and those of one machine and of changes that arrive one after the other. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "none" },
  { name: "crash", crash: 0.25, slow: 0.2 },
  { name: "pause", pause: 0.2 },
  { name: "lostreply", lostReply: 0.4 },
  { name: "failover", failover: 0.3 },
  { name: "clockjump", clockJumpEveryMs: 20 * MINUTE },
  { name: "onehost", crash: 0.25, pause: 0.1, slow: 0.3, oneMachine: true },
  { name: "powerloss", crash: 0.1, powerLoss: 0.25, slow: 0.2, oneMachine: true },
  { name: "cutoff", partitionEveryMs: 6 * MINUTE, crash: 0.1, pause: 0.1, slow: 0.5, dropHints: 0.1 },
  { name: "keys", rollout: "keys", crash: 0.1 },
  { name: "hastykeys", rollout: "hasty keys" },
  { name: "secrets", rollout: "secrets" },
  { name: "intervals", intervalsMs: [20 * MINUTE, 10 * MINUTE], crash: 0.1, pause: 0.1 },
  {
    name: "everything",
    crash: 0.1,
    pause: 0.1,
    lostReply: 0.15,
    failover: 0.1,
    clockJumpEveryMs: 60 * MINUTE,
    tokenOutageEveryMs: 60 * MINUTE,
    wipeEveryMs: 60 * MINUTE,
    partitionEveryMs: 30 * MINUTE,
    dropHints: 0.1,
  },
];
