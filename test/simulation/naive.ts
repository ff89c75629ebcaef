import { Secret } from "../../src/lib/redacted.ts";
import type { Coordinator, CoordinatorOptions } from "../../src/tickets/coordinator.ts";
import type { TicketPair } from "../../src/tickets/reader.ts";

interface Stored {
  lockedUntil: number;
  at: number;
  generation: number;
  token: string;
  ticket: string;
}

const SECONDS = 1_000;
const REFRESH_MS = 1_200_000;

/**
 * What people write first: `SET NX PX` for a lock, `SETEX` for the record, and a refresh when that is 20 minutes old. It
 * must fail here, or the simulation proves nothing.
 */
export function createNaive(options: CoordinatorOptions): Pick<Coordinator, "start" | "tickets"> {
  const { store, clock, upstream, secrets, timings, random } = options;
  const [secret] = secrets();
  let pair: TicketPair | undefined;

  async function read(): Promise<{ stored: Stored; version: string; now: number }> {
    const { value, version, now } = await store.read();
    const stored = value === undefined ? undefined : (JSON.parse(value) as Stored);
    return {
      stored: stored ?? { lockedUntil: 0, at: 0, generation: 0, token: "", ticket: "" },
      version,
      now,
    };
  }

  async function write(change: (stored: Stored, now: number) => Stored): Promise<void> {
    for (;;) {
      const { stored, version, now } = await read();
      if (await store.compareAndSet(version, JSON.stringify(change(stored, now)))) return;
    }
  }

  async function step(): Promise<void> {
    const { stored, version, now } = await read();
    if (stored.generation > (pair?.generation ?? 0)) use(stored);
    if ((stored.at > 0 && now - stored.at < REFRESH_MS) || stored.lockedUntil > now || !secret) return;
    const locked = { ...stored, lockedUntil: now + timings.leaseMs };
    if (!(await store.compareAndSet(version, JSON.stringify(locked)))) return;
    const never = new AbortController().signal;
    const token = await upstream.fetchAccessToken(secret, never);
    const ticket = await upstream.fetchSignTicket(token.value, never);
    await write((before, at) => ({
      lockedUntil: 0,
      at,
      generation: before.generation + 1,
      token: token.value.reveal(),
      ticket: ticket.value.reveal(),
    }));
  }

  function use({ generation, token, ticket }: Stored): void {
    pair = { generation, accessToken: new Secret(token), signTicket: new Secret(ticket) };
  }

  return {
    async start() {
      for (;;) {
        await Promise.race([step(), clock.sleep(10 * SECONDS)]).catch(() => undefined);
        await clock.sleep(timings.pollMs * (0.8 + 0.4 * random()));
      }
    },
    tickets: {
      current() {
        if (!pair) throw new Error("no pair");
        return pair;
      },
      isStale: () => false,
      reread: async () => undefined,
      accepted: () => undefined,
      renewed: async () => undefined,
      signTickets: () => [],
      safeUntil: () => 0,
      readiness: () => ({ ready: pair !== undefined, reason: "" }),
    },
  };
}
