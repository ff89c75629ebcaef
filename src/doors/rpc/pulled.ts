import type { SendMessage } from "../../calls/call.ts";
import { orAborted } from "../../lib/deadline.ts";

/**
 * Turns a handler that sends into the stream that Connect pulls from: one message at a time is in memory, and the next is
 * asked for once the client has taken it. Throws as `run` does; `send` rejects when `signal` aborts.
 */
export async function* pulled<T>(
  run: (send: SendMessage<T>) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let next: { message: T } | undefined;
  let ended: { error?: unknown } | undefined;
  let wake: () => void = () => undefined;
  let taken: () => void = () => undefined;
  const send: SendMessage<T> = (message) => {
    next = { message };
    const { promise, resolve } = Promise.withResolvers<void>();
    taken = resolve;
    wake();
    return orAborted(promise, signal);
  };
  const end = (how: { error?: unknown }) => {
    ended = how;
    wake();
  };
  run(send).then(
    () => end({}),
    (error: unknown) => end({ error }),
  );
  for (;;) {
    if (next) {
      const { message } = next;
      next = undefined;
      yield message;
      taken();
    } else if (ended) {
      if ("error" in ended) throw ended.error;
      return;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
