import type { Login, RedisLocation } from "../config/store-url.ts";
import { exponentialMs } from "../lib/backoff.ts";

/** Errors the client emits need no action: every call has its own deadline and reports its own failure. */
export const ignore = () => undefined;

/** Options of every command. The client's own 5 s limit leaves a timer behind; the signal has one. */
export const untilAborted = (abortSignal: AbortSignal) => ({ abortSignal, timeout: 0 });

/** `HELLO` of RESP3 is unknown to Redis before 6 and most proxies; we need it as little as `CLIENT SETINFO`. */
export const RESP = 2;

const RECONNECT = { baseMs: 50, maxMs: 2_000 };

/**
 * Options of every connection; the default of each is wrong for us (ticket-cache.md 2.13). The current login
 * is read for each connection, so that new ones use a rotated password.
 */
export function connection(location: RedisLocation, login: () => Login | undefined) {
  return {
    credentialsProvider: {
      type: "async-credentials-provider" as const,
      credentials: async () => {
        const { username, password } = login() ?? {};
        return { username, password: password?.reveal() } as { username?: string; password?: string };
      },
    },
    disableClientInfo: true,
    disableOfflineQueue: true,
    pingInterval: 1_000,
    maintNotifications: "disabled" as const,
    socket: {
      ...(location.tls && { tls: true as const }),
      connectTimeout: 2_000,
      socketTimeout: 3_000,
      keepAliveInitialDelay: 5_000,
      // Always a number: the default strategy stops reconnecting after a SocketTimeoutError.
      reconnectStrategy: (retries: number) => exponentialMs(RECONNECT, retries) + Math.random() * 200,
    },
  };
}
