import { createClient } from "@redis/client";
import { createAttempts } from "./attempts.ts";
import { connection, ignore, RESP, untilAborted } from "./connection.ts";
import type { LinkOptions, RedisLink } from "./link.ts";
import { isSilent, troubleOf } from "./trouble.ts";

/** A link to one server, which may stand behind a proxy. */
export function single({ location, logins, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  const attempts = createAttempts();
  const { socket, ...rest } = connection(location, () => logins().login);
  const client = createClient({
    ...rest,
    RESP,
    database: location.database,
    socket: { ...socket, ...location.hosts[0] },
  });
  client.on("error", attempts.failed).on("ready", attempts.succeeded).on("ready", hint);
  const subscriber = hints && subscribe(client.duplicate(), hints);

  return {
    open() {
      if (!client.isOpen) client.connect().catch(ignore);
      subscriber?.open();
    },
    send: (_key, command, signal) =>
      attempts.send(command, signal, () => client.sendCommand(command, untilAborted(signal))),
    renew() {
      // Otherwise it is already reconnecting.
      if (!client.isReady) return;
      client.destroy();
      client.connect().catch(ignore);
    },
    async close() {
      if (client.isOpen) client.destroy();
      subscriber?.close();
    },
  };
}

/** Attempts at `SUBSCRIBE` that may be cut off: some proxies hang up on commands they do not know. */
const MAX_DROPPED = 3;

/** Subscribes on a separate connection where supported; without hints, replicas find out by polling. */
function subscribe(
  client: ReturnType<typeof createClient>,
  { channel, hint }: NonNullable<LinkOptions["hints"]>,
): { open(): void; close(): void } {
  let subscribed = false;
  let dropped = 0;
  const close = () => {
    if (client.isOpen) client.destroy();
  };

  async function listen(): Promise<void> {
    // Only once: the client resubscribes by itself after a reconnect.
    if (subscribed) return hint();
    try {
      await client.subscribe(channel, hint);
      subscribed = true;
      hint();
    } catch (error) {
      dropped += 1;
      if (!isSilent(troubleOf(error)) || dropped === MAX_DROPPED) close();
    }
  }

  client.on("error", ignore).on("ready", () => void listen());
  return {
    open() {
      if (!client.isOpen) client.connect().catch(ignore);
    },
    close,
  };
}
