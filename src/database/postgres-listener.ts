import type { Client } from "pg";
import { backoffMs } from "../lib/backoff.ts";
import { type ChangeHints, createChangeHints } from "../lib/change-hints.ts";
import type { Clock } from "../lib/clock.ts";
import type { Part } from "../lib/lifecycle.ts";

/** Between two checks that the connection still works, milliseconds. */
const CHECK_MS = 5_000;
const RECONNECT = { baseMs: 100, maxMs: 2_000 };

export interface PostgresListener extends Required<Part> {
  listen(channel: string, hint: () => void): () => void;
}

/**
 * Notifications, on a connection of its own that is replaced forever. Each connection begins with a hint, as some may have
 * been missed.
 */
export function createPostgresListener(
  connectionOf: () => Promise<typeof Client>,
  clock: Clock,
): PostgresListener {
  const channels = new Map<string, ChangeHints>();
  const stopped = new AbortController();
  let current: Client | undefined;

  /** Resolves or rejects when the connection is over. */
  async function serve(client: Client, connected: () => void): Promise<void> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    ended.catch(() => undefined);
    client.on("error", reject).on("end", () => reject(new Error("ended")));
    client.on("notification", ({ channel }) => channels.get(channel)?.fire());
    await client.connect();
    current = client;
    for (const [channel, hints] of channels) {
      await client.query(`LISTEN ${channel}`);
      hints.fire();
    }
    connected();
    for (;;) {
      await Promise.race([clock.sleep(CHECK_MS, stopped.signal), ended]);
      await client.query("SELECT 1");
    }
  }

  async function run(): Promise<void> {
    for (let failures = 0; !stopped.signal.aborted; failures++) {
      let client: Client | undefined;
      try {
        client = new (await connectionOf())();
        await serve(client, () => {
          failures = 0;
        });
      } catch {
        // Statements report what is wrong; here there is only the next attempt.
      }
      current = undefined;
      // Not waited for: it may hang, as its server does.
      client?.end().catch(() => undefined);
      await clock.sleep(backoffMs(RECONNECT, failures, Math.random), stopped.signal).catch(() => undefined);
    }
  }

  return {
    listen(channel, hint) {
      let hints = channels.get(channel);
      if (!hints) {
        hints = createChangeHints();
        channels.set(channel, hints);
        current?.query(`LISTEN ${channel}`).catch(() => undefined);
      }
      return hints.watch(hint);
    },
    async start() {
      void run();
    },
    async stop() {
      stopped.abort(new Error("closed"));
      for (const hints of channels.values()) hints.close();
    },
  };
}
