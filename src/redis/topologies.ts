import { createClient, createCluster, createSentinel } from "@redis/client";
import type { Login, RedisLocation } from "../domain/store-url.ts";
import type { Clock } from "../lib/clock.ts";
import type { LinkOptions, RedisLink } from "./link.ts";

/** What the client reports by itself is nothing to act on: every call has a deadline and an answer of its own. */
const ignore = () => undefined;

/** Options of every command. The client's own limit of five seconds leaves a timer behind for each; the signal has one. */
const untilAborted = (abortSignal: AbortSignal) => ({ abortSignal, timeout: 0 });

/** Options of every connection; each of them is wrong for us when left at its default (ticket-cache.md 2.13). */
function connection(location: RedisLocation, login: Login | undefined) {
  return {
    ...(login?.username !== undefined && { username: login.username }),
    ...(login && { password: login.password.reveal() }),
    disableOfflineQueue: true,
    pingInterval: 1_000,
    maintNotifications: "disabled" as const,
    socket: {
      ...(location.tls && { tls: true as const }),
      connectTimeout: 2_000,
      socketTimeout: 3_000,
      keepAliveInitialDelay: 5_000,
      // A number whatever the cause: the default gives up for good after a SocketTimeoutError.
      reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, 2_000) + Math.random() * 200,
    },
  };
}

/** A link by the client of the topology that the location names. */
export function connectTo(options: LinkOptions): RedisLink {
  return { single, sentinel, cluster }[options.location.topology](options);
}

function single({ location, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  const { socket, ...rest } = connection(location, location.login);
  const client = createClient({
    ...rest,
    database: location.database,
    socket: { ...socket, ...location.hosts[0] },
  });
  const subscriber = hints && client.duplicate();
  const all = subscriber ? [client, subscriber] : [client];
  client.on("error", ignore).on("ready", hint);
  let subscribed = false;
  subscriber?.on("error", ignore).on("ready", () => {
    // Once; after a reconnect the client subscribes again by itself.
    if (!subscribed) {
      subscriber.subscribe(hints?.channel ?? "", hint).then(() => {
        subscribed = true;
        hint();
      }, ignore);
    }
    hint();
  });
  const connect = () => {
    for (const each of all) if (!each.isOpen) each.connect().catch(ignore);
  };

  return {
    open: connect,
    send: (_key, command, signal) => client.sendCommand(command, untilAborted(signal)),
    renew() {
      // Otherwise it is being made anew already.
      if (!client.isReady) return;
      client.destroy();
      connect();
    },
    async close() {
      for (const each of all) if (each.isOpen) each.destroy();
    },
  };
}

function sentinel({ location, clock, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  return renewable(clock, hint, () => {
    const client = createSentinel({
      name: location.master ?? "",
      sentinelRootNodes: [...location.hosts],
      nodeClientOptions: { ...connection(location, location.login), database: location.database },
      sentinelClientOptions: connection(location, location.sentinelLogin),
      replicaPoolSize: 0,
      scanInterval: 10_000,
    });
    client.on("error", ignore).on("ready", hint);
    return {
      connect: () => client.connect(),
      subscribe: async () => hints && client.subscribe(hints.channel, hint),
      send: (_key, command, signal) => client.sendCommand(false, command, untilAborted(signal)),
      destroy: () => client.destroy(),
    };
  });
}

function cluster({ location, clock, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  return renewable(clock, hint, () => {
    const defaults = connection(location, location.login);
    const client = createCluster({
      rootNodes: location.hosts.map(({ host, port }) => ({ socket: { ...defaults.socket, host, port } })),
      defaults,
      useReplicas: false,
      topologyRefreshOnReconnectionAttemptStrategy: 1_000,
    });
    client.on("error", ignore).on("node-ready", hint);
    return {
      connect: () => client.connect(),
      subscribe: async () => hints && client.subscribe(hints.channel, hint),
      send: (key, command, signal) => client.sendCommand(key, false, command, untilAborted(signal)),
      destroy: () => client.destroy(),
    };
  });
}

/** A client that knows several servers. */
interface ManyServers {
  connect(): Promise<unknown>;
  subscribe(): Promise<unknown>;
  send: RedisLink["send"];
  destroy(): Promise<void> | void;
}

/**
 * Unlike a single client, these give up connecting if nobody answers at first; then they are asked again. And one that has
 * lost its way is replaced as a whole.
 */
function renewable(clock: Clock, hint: () => void, make: () => ManyServers): RedisLink {
  let client = make();
  let abandoned = new AbortController();
  let connected = false;

  async function until(done: () => Promise<unknown>, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      try {
        await done();
        return hint();
      } catch {
        await clock.sleep(500 + Math.random() * 500, ended);
      }
    }
  }

  function open(): void {
    const { signal } = abandoned;
    const opened = client;
    connected = false;
    until(() => opened.connect(), signal)
      .then(() => {
        connected = !signal.aborted;
        return until(() => opened.subscribe(), signal);
      })
      .catch(ignore);
  }

  function abandon(): Promise<void> {
    abandoned.abort();
    const left = client;
    // It waits for an attempt that is under way; nobody needs to wait for that.
    return (async () => left.destroy())().catch(ignore);
  }

  return {
    open,
    send: (key, command, signal) => client.send(key, command, signal),
    renew() {
      if (!connected) return;
      void abandon();
      abandoned = new AbortController();
      client = make();
      open();
    },
    async close() {
      await Promise.race([abandon(), clock.sleep(200)]);
    },
  };
}
