import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { ledgerFailure } from "../errors.ts";
import type { Ledger, OrderEnd } from "../ledger/ledger.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { EndOrder } from "./end-order.ts";
import { FIRST_LOOK_MS } from "./next-look.ts";
import type { LaunchedOrder, LaunchRecord, Orders } from "./orders.ts";
import type { Recorder, Recording } from "./recorder.ts";
import { createRequestIds, type RequestIdsOptions } from "./request-ids.ts";

export interface RecordedOrdersOptions extends Omit<RequestIdsOptions, "read"> {
  ledger: Pick<Ledger, "find" | "list" | "keepRequest" | "findRequest">;
  recorder: Recorder;
  endOrder: EndOrder;
  livemode: boolean;
}

/** Max time that a call waits for a read of the ledger, milliseconds: a healthy one takes a few. */
const READ_MS = 300;

/** Orders in a ledger. */
export function createRecordedOrders(options: RecordedOrdersOptions): Orders {
  const { ledger, recorder, endOrder, livemode, clock } = options;

  /** Undefined if the ledger does not answer soon. */
  async function read<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (recorder.unreachable()) return undefined;
    return withDeadline(clock, READ_MS, work).catch(() => undefined);
  }

  return {
    begin: () =>
      createLaunchRecord((order) => {
        const createdAt = clock.now();
        return recorder.put({ ...order, createdAt, livemode, dueAt: createdAt + FIRST_LOOK_MS });
      }),

    find: (orderNo) => read(() => ledger.find(orderNo)),

    async judged(orderNo, judgement, evidence) {
      const end: OrderEnd = { state: OrderState.COMPLETED, endedAt: clock.now(), judgement, evidence };
      let standing: OrderEnd | undefined;
      const ended = recorder.write(async () => {
        standing = await endOrder(orderNo, end, { by: "caller" });
      });
      await ended.settled();
      return standing;
    },

    async list(filter, page) {
      try {
        return await ledger.list(filter, page);
      } catch (error) {
        throw ledgerFailure(error);
      }
    },

    requests: createRequestIds({ ...options, read }),
  };
}

function createLaunchRecord(put: (order: LaunchedOrder) => Recording): LaunchRecord {
  let recording: Recording | undefined;
  let ours = false;
  const discard = () => {
    if (ours) recording?.discard();
  };
  return {
    minted(order) {
      discard();
      [recording, ours] = [put(order), true];
    },
    accepted(order) {
      // A failure later on leaves it: under a number of the caller's own it may be another launch's as well.
      [recording, ours] = [put(order), false];
    },
    async durable() {
      await recording?.settled();
    },
    discard,
  };
}
