import { describe, expect, test } from "vitest";
import { parseState, type TicketState } from "../../src/tickets/protocol/state.ts";
import { Machine } from "../simulation/machine.ts";
import { createRig, MINUTE, TIMINGS } from "./rig.ts";

const hangs = () => new Promise<never>(() => undefined);

/** Two processes, the second of which is caught in a call that never ends. */
async function caught(call: "fetchAccessToken" | "fetchSignTicket", oneMachine: boolean) {
  const rig = createRig(1, oneMachine ? new Machine() : undefined);
  const real = rig.client[call];
  rig.client[call] = hangs;
  const refresher = rig.started();
  await rig.run(300);
  Object.assign(rig.client, { [call]: real });
  const other = rig.started();
  await rig.run(100);
  expect(stateOf(rig).lease?.holder).toContain(`${refresher.life.name}/`);
  return { rig, refresher, other };
}

function stateOf({ store }: ReturnType<typeof createRig>): TicketState {
  const state = parseState(store.value ?? "");
  if (typeof state === "string") throw new Error(state);
  return state;
}

/** How long until the condition holds, milliseconds; to a tenth of a second. */
async function timeUntil(rig: ReturnType<typeof createRig>, condition: () => boolean): Promise<number> {
  const from = rig.world.now;
  while (!condition() && rig.world.now - from < MINUTE) await rig.run(100);
  return rig.world.now - from;
}

describe("a refresher that dies on the same machine", () => {
  test("a refresher that dies is noticed within two seconds, and replaced once its call can no longer be in flight", async () => {
    const { rig, refresher, other } = await caught("fetchAccessToken", true);
    refresher.life.crash();
    expect(await timeUntil(rig, () => stateOf(rig).lease === undefined)).toBeLessThanOrEqual(2_000);
    expect(other.told).toContainEqual({ event: "refresherDied", detail: { holder: "p1/1" } });
    expect(rig.upstream.tokenCalls).toBe(0);
    const replacedMs = await timeUntil(rig, () => other.coordinator.tickets.readiness().ready);
    expect(replacedMs).toBeGreaterThan(TIMINGS.tokenTimeoutMs - 1_000);
    expect(replacedMs).toBeLessThan(TIMINGS.tokenTimeoutMs + 1_000);
  });

  test("a refresher that dies with its token staged is replaced within two seconds, without another token", async () => {
    const { rig, refresher, other } = await caught("fetchSignTicket", true);
    refresher.life.crash();
    expect(await timeUntil(rig, () => other.coordinator.tickets.readiness().ready)).toBeLessThanOrEqual(
      2_000,
    );
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("a refresher that is alive keeps its lease, however long it takes", async () => {
    const { rig, other } = await caught("fetchAccessToken", true);
    await rig.run(5_500);
    expect(stateOf(rig).lease?.holder).toBe("p1/1");
    await rig.run(MINUTE);
    expect(other.told.filter(({ event }) => event === "refresherDied")).toEqual([]);
  });

  test("a refresher that is stopped, not dead, keeps its lease until it ends", async () => {
    const { rig, refresher, other } = await caught("fetchAccessToken", true);
    refresher.life.pause(MINUTE);
    await rig.run(TIMINGS.leaseMs - 1_000);
    expect(stateOf(rig).lease?.holder).toBe("p1/1");
    expect(rig.upstream.tokenCalls).toBe(0);
    await rig.run(3_000);
    expect(other.coordinator.tickets.readiness().ready).toBe(true);
  });
});

describe("a refresher that dies elsewhere", () => {
  test("a refresher that dies elsewhere with its token staged is missed within two seconds, and the stage is continued", async () => {
    const { rig, refresher, other } = await caught("fetchSignTicket", false);
    await rig.run(2_500);
    // Alive so far, and nobody has touched its lease.
    expect(stateOf(rig).lease?.holder).toBe("p1/1");
    refresher.life.crash();
    expect(await timeUntil(rig, () => other.coordinator.tickets.readiness().ready)).toBeLessThanOrEqual(
      2_200,
    );
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("a refresher that dies elsewhere in a token call may only be cut off, so others wait for its lease to end", async () => {
    const { rig, refresher, other } = await caught("fetchAccessToken", false);
    refresher.life.crash();
    const replacedMs = await timeUntil(rig, () => other.coordinator.tickets.readiness().ready);
    expect(replacedMs).toBeGreaterThan(TIMINGS.leaseMs - 1_000);
    expect(replacedMs).toBeLessThan(TIMINGS.leaseMs + 1_000);
  });

  test("a refresher asleep for three seconds with its token staged is succeeded by another without a further token", async () => {
    const { rig, refresher, other } = await caught("fetchSignTicket", false);
    refresher.life.pause(3_000);
    await rig.run(2 * MINUTE);
    expect(rig.upstream.tokenCalls).toBe(1);
    for (const { coordinator } of [refresher, other]) {
      const pair = coordinator.tickets.current();
      expect(rig.upstream.isLatest(pair.accessToken.reveal())).toBe(true);
    }
    expect(refresher.told.filter(({ event }) => event === "pairOrphaned")).toEqual([]);
  });
});
