import type { Logins, RedisLocation } from "../config/store-url.ts";
import { StoreError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/deadline.ts";

/** A connection to the server that holds a key, whatever is in between. Reconnects by itself, forever. */
export interface RedisLink {
  /** Begins to connect and returns immediately. */
  open(): void;
  /**
   * Sends one command to the primary that holds `key`, once the first connection attempt has ended; not sent
   * if the signal aborts first. Rejects with the signal's reason if it has aborted, else with StoreError.
   */
  send(key: string, command: string[], signal: AbortSignal): Promise<unknown>;
  /** Replaces the connection: the server is no longer the primary, or does not respond. */
  renew(): void;
  /** Closes promptly, even while the server is unreachable. */
  close(): Promise<void>;
}

export interface LinkOptions {
  location: RedisLocation;
  /** Called for each connection. */
  logins: () => Logins;
  clock: Clock;
  /** The channel to subscribe to. `hint` runs for each message, and after reconnects, which may lose some. */
  hints?: { channel: string; hint: () => void };
}

/** `logins` defaults to those of the location, which do not change. */
export type LinkSettings = Omit<LinkOptions, "logins"> & { logins?: LinkOptions["logins"] | undefined };

/** Loads the client when the link opens: it is a quarter of all files at start, and most use no Redis. */
export function createRedisLink(settings: LinkSettings): RedisLink {
  const options: LinkOptions = { ...settings, logins: settings.logins ?? (() => settings.location) };
  let link: RedisLink | undefined;
  let loading: Promise<void> | undefined;
  let closed = false;

  async function load(): Promise<void> {
    const { connectTo } = await import("./topologies.ts");
    if (closed) return;
    link = connectTo(options);
    link.open();
  }

  return {
    open() {
      loading ??= load();
    },
    async send(key, command, signal) {
      if (!link && loading) await orAborted(loading, signal);
      if (!link) throw new StoreError(command[0] ?? "", "CLOSED");
      return link.send(key, command, signal);
    },
    renew: () => link?.renew(),
    async close() {
      closed = true;
      await link?.close();
    },
  };
}
