import { type ChangeHints, createChangeHints } from "../../lib/change-hints.ts";
import type { Clock } from "../../lib/clock.ts";
import type { TicketStore } from "./store.ts";

/** What the handles of one memory store share; tests may inspect it. */
export interface MemoryRegister {
  value: string | undefined;
  writes: number;
  handles: Set<ChangeHints>;
  /** Starts at the wall clock, like other stores' clocks, and is monotonic from there. */
  now(): number;
}

export function createMemoryRegister(clock: Clock): MemoryRegister {
  const origin = clock.now() - clock.monotonic();
  const now = () => Math.floor(origin + clock.monotonic());
  return { value: undefined, writes: 0, handles: new Set(), now };
}

/** Empties the register, as a store that lost its data. */
export function wipeRegister(register: MemoryRegister): void {
  register.value = undefined;
  register.writes += 1;
  for (const handle of register.handles) handle.fire();
}

/** A handle on a register in this process (`memory:`), for tests and the sandbox. */
export function createMemoryStore(register: MemoryRegister): TicketStore {
  const hints = createChangeHints();
  register.handles.add(hints);
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new Error("the ticket store is closed");
  }

  return {
    async read() {
      assertOpen();
      return { value: register.value, version: String(register.writes), now: register.now() };
    },
    async compareAndSet(version, value) {
      assertOpen();
      if (version !== String(register.writes)) return false;
      register.value = value;
      register.writes += 1;
      for (const handle of register.handles) handle.fire();
      return true;
    },
    watch: (listener) => hints.watch(listener),
    async open() {},
    async close() {
      closed = true;
      hints.close();
      register.handles.delete(hints);
    },
  };
}
