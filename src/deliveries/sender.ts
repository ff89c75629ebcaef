import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { timeLimit } from "../lib/deadline.ts";
import type { ReceiverAnswer } from "./next-try.ts";

/** One request to a receiver. */
export interface Webhook {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
}

/** Sends webhooks. `send` rejects only with the signal's reason. */
export interface Sender {
  send(webhook: Webhook): Promise<ReceiverAnswer>;
  close(): Promise<void>;
}

export interface SenderOptions {
  /** For https receivers, as for calls to the vendor; `noProxy` lists the hosts to reach directly. */
  proxy: { url: string; noProxy: string } | undefined;
  /** Time limit of a request, milliseconds. */
  timeoutMs?: number;
}

/** How long a receiver may take to answer, milliseconds. */
export const SEND_TIMEOUT_MS = 15_000;
/** How much of an answer is read so that the connection can be used again, bytes; the answer's text means nothing. */
const MOST_READ_BYTES = 4 * 1024;
const USER_AGENT = "faceverification-webhooks";

/**
 * Sends over connections of its own, so that receivers never hold up calls to the vendor. No retries and no redirects: each
 * try is the dispatcher's decision, and an event goes only where its operator said.
 */
export function createSender({ proxy, timeoutMs = SEND_TIMEOUT_MS }: SenderOptions): Sender {
  const options = { connections: 8, pipelining: 1, allowH2: false, connect: { timeout: 5_000 } };
  const dispatcher: Dispatcher = proxy
    ? new EnvHttpProxyAgent({ ...options, httpProxy: "", httpsProxy: proxy.url, noProxy: proxy.noProxy })
    : new Agent(options);

  return {
    async send({ url, headers, body, signal }) {
      const limit = timeLimit(timeoutMs, signal);
      try {
        const answer = await request(url, {
          dispatcher,
          method: "POST",
          headers: { ...headers, "user-agent": USER_AGENT },
          body,
          signal: limit.signal,
        });
        await answer.body.dump({ limit: MOST_READ_BYTES, signal: limit.signal }).catch(() => undefined);
        const { "retry-after": retryAfter } = answer.headers;
        return {
          status: answer.statusCode,
          retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
        };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return failureOf(error);
      } finally {
        limit.release();
      }
    },
    close: () => dispatcher.destroy(),
  };
}

const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|ERR_SSL_.*|CERT_.*|UNABLE_TO_.*|SELF_SIGNED_.*|DEPTH_ZERO_.*)$/;

function failureOf(error: unknown): ReceiverAnswer {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return { failure: "timeout", sent: true };
  const code = codeOf(error) ?? "error";
  return { failure: code, sent: !NEVER_SENT.test(code) };
}

function codeOf(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  return typeof code === "string" ? code : cause === undefined ? undefined : codeOf(cause);
}
