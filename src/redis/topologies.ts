import { createCluster, createSentinel } from "@redis/client";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { createAttempts } from "./attempts.ts";
import { connection, ignore, RESP, untilAborted } from "./connection.ts";
import type { LinkOptions, RedisLink } from "./link.ts";
import { single } from "./single.ts";

/** A link that uses the client for the location's topology. */
export function connectTo(options: LinkOptions): RedisLink {
  return { single, sentinel, cluster }[options.location.topology](options);
}

function sentinel({ location, logins, clock, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  return renewable(clock, hint, (failed) => {
    const client = createSentinel({
      name: location.master ?? "",
      RESP,
      sentinelRootNodes: [...location.hosts],
      nodeClientOptions: { ...connection(location, () => logins().login), database: location.database },
      sentinelClientOptions: connection(location, () => logins().sentinelLogin),
      replicaPoolSize: 0,
      scanInterval: 10_000,
    });
    client.on("error", failed).on("ready", hint);
    return {
      connect: () => client.connect(),
      subscribe: async () => hints && client.subscribe(hints.channel, hint),
      send: (_key, command, signal) => client.sendCommand(false, command, untilAborted(signal)),
      destroy: () => client.destroy(),
    };
  });
}

function cluster({ location, logins, clock, hints }: LinkOptions): RedisLink {
  const hint = hints?.hint ?? ignore;
  return renewable(clock, hint, (failed) => {
    const defaults = connection(location, () => logins().login);
    const client = createCluster({
      RESP,
      rootNodes: location.hosts.map(({ host, port }) => ({ socket: { ...defaults.socket, host, port } })),
      defaults,
      useReplicas: false,
      topologyRefreshOnReconnectionAttemptStrategy: 1_000,
    });
    client.on("error", failed).on("node-error", failed).on("node-ready", hint);
    return {
      connect: () => client.connect(),
      subscribe: async () => hints && client.subscribe(hints.channel, hint),
      send: (key, command, signal) => client.sendCommand(key, false, command, untilAborted(signal)),
      destroy: () => client.destroy(),
    };
  });
}

/** A client for several servers. */
interface ManyServers {
  connect(): Promise<unknown>;
  subscribe(): Promise<unknown>;
  send: RedisLink["send"];
  destroy(): Promise<void> | void;
}

/**
 * Cluster and Sentinel clients give up if the first connect fails, so we retry; a client stuck on a stale
 * topology is replaced.
 */
function renewable(
  clock: Clock,
  hint: () => void,
  make: (failed: (error: unknown) => void) => ManyServers,
): RedisLink {
  const attempts = createAttempts();
  let client = make(attempts.failed);
  let abandoned = new AbortController();
  let connected = false;

  async function retry(attempt: () => Promise<unknown>, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      try {
        await attempt();
        return hint();
      } catch (error) {
        attempts.failed(error);
        await clock.sleep(backoffMs({ baseMs: 1_000, maxMs: 1_000 }, 0, Math.random), ended);
      }
    }
  }

  function open(): void {
    const { signal } = abandoned;
    const opened = client;
    connected = false;
    retry(() => opened.connect(), signal)
      .then(() => {
        connected = !signal.aborted;
        attempts.succeeded();
        return retry(() => opened.subscribe(), signal);
      })
      .catch(ignore);
  }

  function abandon(): Promise<void> {
    abandoned.abort();
    const old = client;
    // `destroy` waits for a connection attempt in flight; callers need not.
    return (async () => old.destroy())().catch(ignore);
  }

  return {
    open,
    send: (key, command, signal) => attempts.send(command, signal, () => client.send(key, command, signal)),
    renew() {
      if (!connected) return;
      void abandon();
      abandoned = new AbortController();
      client = make(attempts.failed);
      open();
    },
    async close() {
      await Promise.race([abandon(), clock.sleep(200)]);
    },
  };
}
