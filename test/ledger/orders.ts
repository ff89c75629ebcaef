import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { NextStep, Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { NewOrder, OrderEnd } from "../../src/ledger/ledger.ts";

/** An instant; the tests count from here. */
export const T0 = 1_800_000_000_000;

/** An order, launched at T0 and due 20 s later unless said otherwise. */
export const newOrder = (orderNo: string, more: Partial<NewOrder> = {}): NewOrder => ({
  orderNo,
  userId: `user of ${orderNo}`,
  reference: "",
  linkId: "",
  createdAt: T0,
  withPhoto: false,
  livemode: true,
  dueAt: T0 + 20_000,
  ...more,
});

/** A verdict of PASSED, with everything the vendor says beside it. */
export const passed = (endedAt = T0 + 40_000): OrderEnd => ({
  state: OrderState.COMPLETED,
  endedAt,
  judgement: {
    verdict: Verdict.PASSED,
    reason: VerdictReason.SAME_PERSON,
    nextStep: NextStep.NONE,
    billed: true,
  },
  evidence: {
    code: "0",
    bizSeqNo: "22051720001184442114201507498291",
    liveRate: 97.5,
    similarity: 88.25,
    occurredAt: T0 + 31_000,
    sdkVersion: "v6.6.2",
    riskInfo: { deviceInfoLevel: "3", deviceInfoTag: undefined },
  },
});

export const expired = (endedAt = T0 + 3_600_000): OrderEnd => ({
  state: OrderState.EXPIRED,
  endedAt,
  judgement: undefined,
  evidence: { code: "66660011" },
});
