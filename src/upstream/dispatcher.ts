import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";

export interface DispatcherOptions {
  /** Connections kept to the vendor at most. */
  connections: number;
  /** For calls by https, and the hosts that are asked directly, as in `NO_PROXY`. */
  proxy: { url: string; noProxy: string } | undefined;
}

/** The ways to the vendor. */
export interface Dispatchers {
  /** Keep-alive connections. */
  pooled: Dispatcher;
  /** A connection for each request. */
  fresh: Dispatcher;
  close(): Promise<void>;
}

/**
 * Connections to the vendor: plain HTTP/1.1 and no retries, since over HTTP/2 undici may repeat a request by itself, and a
 * repeated token call rotates the token again (ticket-cache.md 1, case 6).
 */
export function createDispatchers({ connections, proxy }: DispatcherOptions): Dispatchers {
  const options = {
    connections,
    allowH2: false,
    connect: { timeout: 2_000 },
    // The real time limits are the callers' signals; these only keep a forgotten one from waiting for ever.
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  };
  const open = (pipelining: number) => {
    if (!proxy) return new Agent({ ...options, pipelining });
    const { url, noProxy } = proxy;
    // An empty `httpProxy` keeps undici from reading one by itself: http is for this machine and for tests.
    return new EnvHttpProxyAgent({ ...options, pipelining, httpProxy: "", httpsProxy: url, noProxy });
  };
  const pooled = open(1);
  // Undici's word for no keep-alive.
  const fresh = open(0);
  return {
    pooled,
    fresh,
    async close() {
      await Promise.all([pooled.close(), fresh.close()]);
    },
  };
}
