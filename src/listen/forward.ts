import type { OrderEvent } from "../../gen/faceverification/v1/order_pb.ts";
import { bodyOf } from "../deliveries/event.ts";
import type { Sender } from "../deliveries/sender.ts";
import { signedHeaders } from "../domain/webhook-signature.ts";
import type { Clock } from "../lib/clock.ts";
import type { Secret } from "../lib/redacted.ts";

export interface ForwardOptions {
  forwardTo: string;
  secret: Secret;
  send: Sender["send"];
  clock: Clock;
  /** Prints a line for people. */
  print: (line: string) => void;
}

/** Hands one event over; resolves whatever became of it. */
export type Forward = (eventId: string, event: OrderEvent, signal: AbortSignal) => Promise<void>;

/** Waits between the tries of one event, milliseconds: a developer restarts the program meanwhile. */
const WAITS_MS = [1_000, 3_000];

export function createForward({ forwardTo, secret, send, clock, print }: ForwardOptions): Forward {
  async function tryOnce(id: string, body: string, signal: AbortSignal) {
    const startedAt = clock.monotonic();
    const headers = signedHeaders({ id, body }, [secret], clock.now());
    const answer = await send({ url: forwardTo, headers, body, signal });
    const ms = Math.round(clock.monotonic() - startedAt);
    const isTaken = "status" in answer && answer.status >= 200 && answer.status < 300;
    const said = "status" in answer ? `${answer.status} in ${ms} ms` : answer.failure;
    return { isTaken, said };
  }

  return async (eventId, event, signal) => {
    const body = bodyOf(event);
    const line = (said: string) =>
      print(`${new Date(clock.now()).toISOString()}  ${event.type.padEnd(15)}  ${eventId}  ${said}`);
    for (const waitMs of WAITS_MS) {
      const { isTaken, said } = await tryOnce(eventId, body, signal);
      if (isTaken) return line(said);
      line(`${said}; again in ${waitMs / 1000} s`);
      await clock.sleep(waitMs, signal);
    }
    const { isTaken, said } = await tryOnce(eventId, body, signal);
    line(isTaken ? said : `${said}; given up: --replay ${eventId} sends it again`);
  };
}
