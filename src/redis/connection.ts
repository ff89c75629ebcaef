import type { Login, RedisLocation } from "../config/store-url.ts";

/** What the client reports by itself needs no action: every call has a deadline and an answer of its own. */
export const ignore = () => undefined;

/** Options of every command. The client's own limit of five seconds leaves a timer behind for each; the signal has one. */
export const untilAborted = (abortSignal: AbortSignal) => ({ abortSignal, timeout: 0 });

/** Nothing here needs RESP3, whose `HELLO` is unknown to Redis before 6 and to most proxies; nor `CLIENT SETINFO`. */
export const RESP = 2;

/**
 * Options of every connection; each of them is wrong for us when left at its default (ticket-cache.md 2.13). The login is
 * that of the moment, so that a rotated password holds for every connection to come.
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
      // A number whatever the cause: the default gives up for good after a SocketTimeoutError.
      reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, 2_000) + Math.random() * 200,
    },
  };
}
