import type { WebhookEndpoint } from "./config/webhooks.ts";
import { createWebhookDeliveries, type DeliveriesOptions } from "./deliveries/deliveries.ts";
import { createFeed, type Feed, type FeedOptions } from "./deliveries/feed.ts";
import { createDeliveryOperator, type DeliveryOperator } from "./deliveries/operator.ts";
import { type Part, together } from "./lib/lifecycle.ts";
import type { Reloadable } from "./lib/memoize.ts";

export interface SubscribersOptions extends DeliveriesOptions, FeedOptions {
  ledger: DeliveriesOptions["ledger"];
  events: DeliveriesOptions["events"] & FeedOptions["events"];
  webhooks: Reloadable<readonly WebhookEndpoint[]>;
  /** Whether this process sends webhooks; streams and operators are served in any case. */
  delivers: boolean;
}

/** Where the ends of orders go. */
export interface Subscribers extends Part {
  feed: Feed;
  operator: DeliveryOperator;
}

/**
 * Joins the ledger with those who hear of its events: webhook endpoints, streams, operators. Loaded only where there is a
 * ledger.
 */
export function createSubscribers(options: SubscribersOptions): Subscribers {
  const { ledger, webhooks, clock, delivers } = options;
  const feed = createFeed(options);
  const endpoints = webhooks().map(({ name }) => name);
  const operator = createDeliveryOperator({ ledger, endpoints, clock });
  const parts = together([feed, ...(delivers ? [createWebhookDeliveries(options)] : [])]);
  return { ...parts, feed, operator };
}
