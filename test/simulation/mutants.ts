import type { Operation, Transition } from "../../src/tickets/protocol/operations.ts";
import type { TicketState } from "../../src/tickets/protocol/state.ts";
import { transition } from "../../src/tickets/protocol/transition.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

type Protocol = typeof transition;

/** A rule of the protocol broken on purpose, and where the simulation must notice. */
export interface Mutant {
  rule: string;
  scenario: Scenario;
  protocol: Protocol;
}

const scenario = (wanted: string): Scenario =>
  SCENARIOS.find(({ name }) => name === wanted) ?? { name: wanted };

/** The protocol with another answer to some operations. */
const where =
  (
    change: (operation: Operation, done: Transition, before: TicketState, now: number) => Transition,
  ): Protocol =>
  (state, operation, now, timings) =>
    change(operation, transition(state, operation, now, timings), state, now);

/** The protocol with some operations put differently. */
const asked =
  (change: (operation: Operation) => Operation): Protocol =>
  (state, operation, now, timings) =>
    transition(state, change(operation), now, timings);

function without<K extends keyof TicketState>(state: TicketState, field: K): TicketState {
  const { [field]: _removed, ...rest } = state;
  return rest as TicketState;
}

export const MUTANTS: readonly Mutant[] = [
  {
    rule: "a commit keeps a doubt that is younger than its lease",
    scenario: {
      name: "a refresher wakes up in its successor's refresh, and its call leaves then",
      once: { boundary: "before_token", nth: 1, pauseMs: 13_700 },
    },
    protocol: where((operation, done) =>
      operation.kind === "commit" && done.status === "ok"
        ? { ...done, state: without(done.state, "doubt") }
        : done,
    ),
  },
  {
    rule: "a fenced holder reports the token it got",
    scenario: {
      name: "a lease ends early, because the store's clock jumps, while a call is under way",
      once: { boundary: "before_token", nth: 1, pauseMs: 5_500, jumpMs: 30_000 },
    },
    protocol: where((operation, done, state) => (operation.kind === "orphan" ? { ...done, state } : done)),
  },
  {
    rule: "a fenced holder reports a call that it does not know the end of",
    scenario: { name: "pause and lost replies", pause: 0.3, lostReply: 0.4 },
    protocol: where((operation, done, state) =>
      operation.kind === "abort" && done.status === "fenced" ? { ...done, state } : done,
    ),
  },
  {
    rule: "a lease comes with an intent",
    scenario: scenario("crash"),
    protocol: where((operation, done) =>
      operation.kind === "acquire" ? { ...done, state: without(done.state, "intent") } : done,
    ),
  },
  {
    rule: "an unknown outcome is not a failed one",
    scenario: scenario("lostreply"),
    protocol: asked((operation) =>
      operation.kind === "abort" && operation.outcome === "unknown"
        ? { ...operation, outcome: "clean", backoffMs: 60_000 }
        : operation,
    ),
  },
  {
    rule: "a store that lost data gets it back",
    scenario: { name: "a store that forgets", wipeEveryMs: 600_000 },
    protocol: where((operation, done, state) =>
      operation.kind === "heal" ? { state, status: "noop" } : done,
    ),
  },
  {
    rule: "only the holder of the newest lease commits",
    scenario: scenario("pause"),
    protocol: where((operation, done, state, now) => {
      if (operation.kind !== "commit" || done.status !== "fenced") return done;
      const { generation, sealed } = operation;
      return { state: { ...state, published: { generation, sealed, at: now } }, status: "ok" };
    }),
  },
  {
    rule: "the call of a process that died is waited for",
    scenario: scenario("onehost"),
    protocol: where((operation, done) =>
      operation.kind === "bury" ? { ...done, state: without(done.state, "backoff") } : done,
    ),
  },
  {
    rule: "one lease at a time",
    scenario: scenario("crash"),
    protocol: (state, operation, now, timings) =>
      transition(operation.kind === "acquire" ? without(state, "lease") : state, operation, now, timings),
  },
];
