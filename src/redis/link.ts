import type { Logins, RedisLocation } from "../config/store-url.ts";
import { StoreError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/deadline.ts";

/** A way to the server that holds a key, whatever stands between. Finds it again by itself, for ever. */
export interface RedisLink {
  /** Begins to connect, and returns at once. */
  open(): void;
  /**
   * Sends one command to the primary that holds `key`, once a first attempt to connect has ended. Not sent any more once the
   * signal has aborted. Rejects with StoreError for everything else.
   */
  send(key: string, command: string[], signal: AbortSignal): Promise<unknown>;
  /** Drops the connection and makes a new one: the server is no longer the primary, or answers nothing. */
  renew(): void;
  /** Ends within a moment, also while the server is away. */
  close(): Promise<void>;
}

export interface LinkOptions {
  location: RedisLocation;
  /** Asked for each connection. */
  logins: () => Logins;
  clock: Clock;
  /** What to listen to, and whom to call for every message and after every reconnect, when some may have been missed. */
  hints?: { channel: string; hint: () => void };
}

/** `logins`: those of the location, unless they may change. */
export type LinkSettings = Omit<LinkOptions, "logins"> & { logins?: LinkOptions["logins"] | undefined };

/** Loads the client when the link is opened: it is a quarter of all the files of a start, and most have no Redis. */
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
