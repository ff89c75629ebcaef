import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";

export interface DispatcherOptions {
  /** Connections kept to the vendor at most. */
  connections: number;
  /** HTTPS_PROXY and NO_PROXY, as everywhere else. */
  proxy: { httpsProxy: string; noProxy: string } | undefined;
}

/**
 * Keep-alive connections to the vendor: plain HTTP/1.1 and no retries, since over HTTP/2 undici may repeat a request by
 * itself, and a repeated token call rotates the token again (ticket-cache.md 1, case 6).
 */
export function createDispatcher({ connections, proxy }: DispatcherOptions): Dispatcher {
  const options = {
    connections,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: 2_000 },
    // The real time limits are the callers' signals; these only keep a forgotten one from waiting for ever.
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  };
  return proxy ? new EnvHttpProxyAgent({ ...options, ...proxy }) : new Agent(options);
}
