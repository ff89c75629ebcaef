import { HOUR, MINUTE, type Scenario } from "./simulation.ts";

/** Nothing goes wrong. */
const CALM: Scenario = {
  nodes: 2,
  launches: 30,
  launchesMs: 10 * MINUTE,
  calmMs: 20 * MINUTE,
  endMs: 70 * MINUTE,
};

/** By what goes wrong in them. */
export const SCENARIOS = {
  calm: CALM,
  crashes: { ...CALM, crashes: true },
  "lost replies": { ...CALM, lostReplies: true },
  "frozen processes": { ...CALM, freezes: true, nodes: 3 },
  "a ledger that comes and goes": { ...CALM, ledgerOutages: true },
  "a vendor down for an hour": { ...CALM, vendorOutageMs: HOUR, calmMs: 70 * MINUTE, endMs: 3 * HOUR },
  "a receiver down for two hours": {
    ...CALM,
    receiverOutageMs: 2 * HOUR,
    calmMs: 125 * MINUTE,
    endMs: 4 * HOUR,
  },
  "a clock that jumps by days": { ...CALM, clockJumpMs: 100 * HOUR },
  everything: {
    ...CALM,
    nodes: 3,
    crashes: true,
    freezes: true,
    lostReplies: true,
    ledgerOutages: true,
    vendorOutageMs: 10 * MINUTE,
    clockJumpMs: 100 * HOUR,
    endMs: 100 * MINUTE,
  },
} satisfies Record<string, Scenario>;
