import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  DeliveryAdminService,
  DeliveryState,
  type ListDeliveriesRequest,
  ListDeliveriesResponseSchema,
  RecoverResponseSchema,
  RedeliverResponseSchema,
} from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import { type Implementation, implement } from "../calls/implement.ts";
import type { Pipeline } from "../calls/pipeline.ts";
import type { DeliveryOperator, ListedDelivery } from "../deliveries/operator.ts";
import { ErrorReason, invalidRequest, ServiceError } from "../errors.ts";
import type { DeliveryCursor } from "../ledger/delivery-ledger.ts";
import { readPage } from "./page.ts";

/** DeliveryAdminService as the admin listener serves it. */
export type DeliveryAdmin = Implementation<typeof DeliveryAdminService>;

/** The operators' RPCs on deliveries; `operator` is loaded where there is a ledger, and undefined without one. */
export function createDeliveryAdmin(
  pipeline: Pipeline,
  operator: Promise<DeliveryOperator> | undefined,
): DeliveryAdmin {
  async function loaded(): Promise<DeliveryOperator> {
    if (!operator) throw new ServiceError(ErrorReason.NO_LEDGER, "LEDGER_URL is not set");
    return operator;
  }

  return implement(DeliveryAdminService, pipeline, {
    listDeliveries: async (request) => {
      const deliveries = await loaded();
      const after = cursorOf(request.pageToken);
      const { entries, last } = await readPage(request.pageSize, (size) =>
        deliveries.list(filterOf(request), { size, after }),
      );
      return create(ListDeliveriesResponseSchema, {
        deliveries: entries.map(describe),
        nextPageToken: last ? tokenOf(last) : "",
        endpoints: (await deliveries.endpoints()).map(({ name, stoppedAt, failures, waiting, parked }) => ({
          name,
          failures,
          waiting,
          parked,
          ...(stoppedAt !== undefined && { stopTime: timestampFromMs(stoppedAt) }),
        })),
      });
    },
    redeliver: async ({ event, endpoint }) => {
      const deliveries = await loaded();
      const queued = await deliveries.redeliver(event.value ?? "", endpoint === "" ? undefined : endpoint);
      return create(RedeliverResponseSchema, { deliveries: queued });
    },
    recover: async ({ endpoint, since, until }) => {
      const deliveries = await loaded();
      // The proto requires it.
      const from = since ? timestampMs(since) : 0;
      const { queued, restarted } = await deliveries.recover(endpoint, from, until && timestampMs(until));
      return create(RecoverResponseSchema, { deliveries: queued, restarted });
    },
  });
}

function filterOf({ endpoint, state, orderNo }: ListDeliveriesRequest) {
  return {
    endpoint: endpoint === "" ? undefined : endpoint,
    state: state === DeliveryState.UNSPECIFIED ? undefined : state,
    orderNo: orderNo === "" ? undefined : orderNo,
  };
}

function describe(delivery: ListedDelivery) {
  const { order, dueAt, triedAt, state } = delivery;
  const { eventId, type, endpoint, attempts, result, replay, sequence } = delivery;
  return {
    eventId,
    type,
    endpoint,
    state,
    attempts,
    replay,
    sequence,
    orderNo: order.orderNo,
    lastResult: result,
    ...(state === DeliveryState.WAITING && { nextTryTime: timestampFromMs(dueAt) }),
    ...(triedAt !== undefined && { lastTryTime: timestampFromMs(triedAt) }),
  };
}

/** A page ends at a delivery, and the next one begins after it, whatever is added before (AIP-158). */
const tokenOf = ({ sequence, endpoint }: ListedDelivery): string =>
  Buffer.from(`${sequence}.${endpoint}`).toString("base64url");

function cursorOf(token: string): DeliveryCursor | undefined {
  if (token === "") return undefined;
  const [, sequence, endpoint] =
    /^(\d{1,10})\.([0-9A-Za-z._-]{1,64})$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (sequence === undefined || endpoint === undefined) {
    throw invalidRequest([{ field: "page_token", rule: "page_token.unknown" }]);
  }
  return { sequence: Number(sequence), endpoint };
}
