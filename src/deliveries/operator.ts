import type { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import { ErrorReason, invalidRequest, ledgerFailure, ServiceError } from "../errors.ts";
import type { Delivery, DeliveryCursor, EndpointHealth } from "../ledger/delivery-ledger.ts";
import { eventIdOf, type Ledger } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import { eventTypeOf } from "./event.ts";

export interface DeliveryOperatorOptions {
  ledger: Ledger;
  /** Names of the endpoints that this process is configured with. */
  endpoints: readonly string[];
  clock: Clock;
}

/** A delivery with its event. */
export interface ListedDelivery extends Delivery {
  eventId: string;
  type: string;
}

export interface DeliveryFilter {
  endpoint: string | undefined;
  state: DeliveryState | undefined;
  orderNo: string | undefined;
}

/** What operators do with deliveries. Rejects with ServiceError. */
export interface DeliveryOperator {
  /** Newest first. */
  list(
    filter: DeliveryFilter,
    page: { size: number; after: DeliveryCursor | undefined },
  ): Promise<ListedDelivery[]>;
  endpoints(): Promise<(EndpointHealth & { name: string; waiting: number; parked: number })[]>;
  /** Queues an event again, by its id or its order number, for one endpoint or all; the number queued. */
  redeliver(event: string, endpoint: string | undefined): Promise<number>;
  /** Restarts an endpoint and queues what it has not received of orders that ended in [since, until), by default now. */
  recover(
    endpoint: string,
    since: number,
    until: number | undefined,
  ): Promise<{ queued: number; restarted: boolean }>;
}

const EVENT_ID = eventIdOf("");

export function createDeliveryOperator({
  ledger,
  endpoints,
  clock,
}: DeliveryOperatorOptions): DeliveryOperator {
  async function asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw ledgerFailure(error);
    }
  }

  function assertKnown(endpoint: string): void {
    if (endpoints.includes(endpoint)) return;
    throw invalidRequest([{ field: "endpoint", rule: "endpoint.unknown" }]);
  }

  return {
    async list(filter, page) {
      const deliveries = await asked(ledger.listDeliveries(filter, page));
      return deliveries.map((delivery) => ({
        ...delivery,
        eventId: eventIdOf(delivery.order.orderNo),
        type: delivery.order.end ? eventTypeOf(delivery.order.end) : "",
      }));
    },
    endpoints: () => asked(ledger.endpoints(endpoints)),
    async redeliver(event, endpoint) {
      // No order number has an underscore.
      const orderNo = event.startsWith(EVENT_ID) ? event.slice(EVENT_ID.length) : event;
      if (endpoint !== undefined) assertKnown(endpoint);
      const order = await asked(ledger.find(orderNo));
      if (!order?.end) throw new ServiceError(ErrorReason.ORDER_NOT_FOUND, "no such order has ended");
      return asked(ledger.redeliver(orderNo, endpoint === undefined ? endpoints : [endpoint], clock.now()));
    },
    async recover(endpoint, since, until) {
      assertKnown(endpoint);
      const now = clock.now();
      // An order that ends in this millisecond is included.
      return asked(ledger.recover({ endpoint, since, until: until ?? now + 1, now }));
    },
  };
}
