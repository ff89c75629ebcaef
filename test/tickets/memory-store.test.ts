import { expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createMemoryRegister, createMemoryStore } from "../../src/tickets/stores/memory-store.ts";
import { describeStore } from "./store.contract.ts";

describeStore("memory", async () => {
  const register = createMemoryRegister(systemClock);
  return {
    open: async () => createMemoryStore(register),
    async wipe() {
      register.value = undefined;
      register.writes += 1;
    },
  };
});

test("a memory store's clock starts at the wall clock and then follows the monotonic one", async () => {
  const times = { wall: 1_700_000_000_000, monotonic: 5_000.25 };
  const clock = { ...systemClock, now: () => times.wall, monotonic: () => times.monotonic };
  const store = createMemoryStore(createMemoryRegister(clock));
  times.wall -= 3_600_000;
  times.monotonic += 1_500;
  expect((await store.read()).now).toBe(1_700_000_001_500);
});
