import type { ObserveExchange } from "./observe.ts";
import type { Exchange, Transport } from "./transport.ts";
import { type Reply, readReply } from "./wire.ts";

/** Performs one exchange and resolves to what `read` makes of the answer. Rejects as transport, `readReply` and `read` do. */
export type Ask = <T>(exchange: Exchange, read: (reply: Reply) => T) => Promise<T>;

/** Exchanges that are watched from their start until `read` has made sense of the answer. */
export function createAsk(transport: Transport, observe: ObserveExchange): Ask {
  return async (exchange, read) => {
    const { endpoint } = exchange;
    const ended = observe(endpoint);
    let reply: Reply | undefined;
    let failure: unknown;
    try {
      reply = readReply(endpoint, await transport(exchange));
      return read(reply);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      ended(reply, failure);
    }
  };
}
