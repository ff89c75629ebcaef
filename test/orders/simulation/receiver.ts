import type { WebhookEndpoint } from "../../../src/config/webhooks.ts";
import type { ReceiverAnswer } from "../../../src/deliveries/next-try.ts";
import type { Webhook } from "../../../src/deliveries/sender.ts";
import { newWebhookSecret } from "../../../src/domain/webhook-signature.ts";
import { Secret } from "../../../src/lib/redacted.ts";
import type { World } from "../../simulation/world.ts";

/** The one endpoint that all processes send to. */
export const SHOP: WebhookEndpoint = {
  name: "shop",
  url: "https://shop.example/hook",
  secrets: [new Secret(newWebhookSecret())],
};

/** What the endpoint has accepted, whatever the sender learnt of it. */
export class Receiver {
  down = false;
  /** Probability of an error, and of an answer that is lost after the event was taken. */
  trouble = 0;
  readonly accepted = new Map<string, { at: number; body: string }[]>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  take({ headers, body }: Webhook): ReceiverAnswer {
    if (this.down) return { failure: "ECONNREFUSED", sent: false };
    if (this.#world.chance(this.trouble)) return { status: 500, retryAfter: undefined };
    const id = headers["webhook-id"] ?? "";
    const taken = this.accepted.get(id) ?? [];
    this.accepted.set(id, [...taken, { at: this.#world.now, body }]);
    if (this.#world.chance(this.trouble)) return { failure: "timeout", sent: true };
    return { status: 204, retryAfter: undefined };
  }
}
