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
      // Otherwise it is being made anew already.
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

/** After so many lines in a row that were cut at `SUBSCRIBE`, there is none here: some proxies hang up on what they do not know. */
const MOST_CUT = 3;

/** Listens by a connection of its own, where that is to be had: without hints, replicas find out by asking. */
function subscribe(
  client: ReturnType<typeof createClient>,
  { channel, hint }: NonNullable<LinkOptions["hints"]>,
): { open(): void; close(): void } {
  let subscribed = false;
  let cut = 0;
  const close = () => {
    if (client.isOpen) client.destroy();
  };

  async function listen(): Promise<void> {
    // Once; after a reconnect the client subscribes again by itself.
    if (subscribed) return hint();
    try {
      await client.subscribe(channel, hint);
      subscribed = true;
      hint();
    } catch (error) {
      cut += 1;
      if (!isSilent(troubleOf(error)) || cut === MOST_CUT) close();
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
