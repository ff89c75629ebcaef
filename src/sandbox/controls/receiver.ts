import { createHmac, timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../../lib/clock.ts";

/** A webhook as the sandbox's receiver saw it. */
export interface ReceivedWebhook {
  /** Sandbox time, milliseconds since the Unix epoch. */
  at: number;
  /** The `webhook-id`. */
  id: string;
  /** Whether its signature is that of the secret. */
  signed: boolean;
  /** Whether the same id came before. */
  repeated: boolean;
  /** What it was answered. */
  status: number;
  /** The event's type, order number and verdict. */
  type: string;
  orderNo: string;
  verdict: string;
}

/** A webhook receiver such as a merchant has: it checks signatures, remembers, and fails on demand. */
export interface Receiver {
  /** The secret that it shares with the service, `whsec_…`. */
  secret: string;
  /** Whether it answers 503. */
  failing: boolean;
  /** The latest, oldest first. */
  list(): readonly ReceivedWebhook[];
  /** Works again, and has received nothing. */
  reset(): void;
}

export const RECEIVER_PATH = "/sandbox/receiver";

/** How many webhooks are remembered. */
const REMEMBERED = 50;

/** `random` is Base64 of the secret's 32 bytes. */
export function createReceiver(random: string): Receiver & { received: ReceivedWebhook[] } {
  const received: ReceivedWebhook[] = [];
  return {
    secret: `whsec_${random}`,
    failing: false,
    received,
    list: () => received,
    reset() {
      this.failing = false;
      received.length = 0;
    },
  };
}

/** The receiver's route, and its switch. */
export function addReceiver(
  app: FastifyInstance,
  { receiver, clock }: { receiver: ReturnType<typeof createReceiver>; clock: Pick<Clock, "now"> },
): void {
  const { received } = receiver;

  app.post(RECEIVER_PATH, (request, reply) => {
    const body = typeof request.body === "string" ? request.body : "";
    const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
      String(request.headers[name] ?? ""),
    ) as [string, string, string];
    const signed = isSigned(receiver.secret, `${id}.${timestamp}.${body}`, signatures);
    const status = !signed ? 401 : receiver.failing ? 503 : 204;
    const { type, orderNo, verdict } = read(body);
    const repeated = received.some((earlier) => earlier.id === id && earlier.status === 204);
    received.push({ at: clock.now(), id, signed, repeated, status, type, orderNo, verdict });
    received.splice(0, received.length - REMEMBERED);
    return reply.code(status).send();
  });

  app.get(RECEIVER_PATH, () => ({ failing: receiver.failing, received }));
  app.put(RECEIVER_PATH, (request) => {
    const { failing } = JSON.parse(String(request.body)) as { failing?: unknown };
    if (typeof failing !== "boolean") throw new RangeError("failing must be true or false");
    receiver.failing = failing;
    return { failing };
  });
}

/** Whether one of the signatures is right (Standard Webhooks, symmetric). */
function isSigned(secret: string, content: string, signatures: string): boolean {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const wanted = Buffer.from(`v1,${createHmac("sha256", key).update(content).digest("base64")}`);
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

function read(body: string): Pick<ReceivedWebhook, "type" | "orderNo" | "verdict"> {
  try {
    const { type, data } = JSON.parse(body) as {
      type: string;
      data: { order_no: string; verdict: string };
    };
    return { type, orderNo: data.order_no, verdict: data.verdict };
  } catch {
    return { type: "", orderNo: "", verdict: "" };
  }
}
