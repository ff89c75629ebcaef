import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  FaceVerificationService,
  GetResultRequestSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createOrderNumbers } from "../../src/domain/order-number.ts";
import { ErrorReason, ServiceError } from "../../src/errors.ts";
import { createGetResult } from "../../src/handlers/get-result.ts";
import { createOutcomeReader } from "../../src/handlers/read-outcome.ts";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { NO_ORDERS } from "../../src/orders/orders.ts";
import { startHarness } from "../support/harness.ts";
import { incomingForm, openPipeline } from "../support/pipeline.ts";

const GUESSES = 100_000;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Random numbers of the right shape, and `real` with one character changed, in turn. */
function guess(i: number, real: string): string {
  if (i % 2 === 0) return Array.from(randomBytes(32), (byte) => ALPHABET[byte % 62]).join("");
  const at = (i >> 1) % 32;
  const other = ALPHABET[(ALPHABET.indexOf(real[at] ?? "") + 1 + (i % 61)) % 62];
  return real.slice(0, at) + other + real.slice(at + 1);
}

test("a hundred thousand guessed and tampered order numbers never reach the vendor", async () => {
  let upstreamCalls = 0;
  const reached = () => {
    upstreamCalls++;
    return Promise.reject(new Error("the vendor was asked"));
  };
  const orderNumbers = createOrderNumbers(() => [new Secret("s".repeat(64))]);
  const pipeline = openPipeline({
    authorise: () => ({ name: "app", internal: false, subject: "", media: false }),
    events: { callFinished: () => undefined },
  });
  const { name, input, output } = FaceVerificationService.method.getResult;
  const handler = createGetResult({
    livemode: false,
    orderNumbers,
    queryOrder: reached,
    outcomes: createOutcomeReader({ orderNumbers, queryOrder: reached, orders: NO_ORDERS, clock }),
    linkOf: async () => undefined,
    clock,
  });
  const getResult = pipeline.unary({ name, input, output, handler });
  const call = incomingForm("guess");
  const ask = (orderNo: string) => getResult(create(GetResultRequestSchema, { orderNo }), call);
  const real = orderNumbers.mint("", clock.now());
  const reasons = new Map<ErrorReason | undefined, number>();
  for (let i = 0; i < GUESSES; i++) {
    const error: unknown = await ask(guess(i, real)).catch((thrown: unknown) => thrown);
    const reason = error instanceof ServiceError ? error.reason : undefined;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  expect([...reasons]).toEqual([[ErrorReason.ORDER_NOT_FOUND, GUESSES]]);
  expect(upstreamCalls).toBe(0);
  // The counter counts: a real one does get there.
  await ask(real).catch(() => undefined);
  expect(upstreamCalls).toBe(1);
}, 240_000);

test("a thousand guessed order numbers over real sockets never reach the vendor", async () => {
  await using harness = await startHarness({ env: { LOG_LEVEL: "error" } });
  const launch = await harness.form("/get_face_params", { name: "张三", id_no: "11010519491231002X" });
  const real: string = launch.body.result.order_no;
  const before = harness.wire.calls.length;
  for (let i = 0; i < 1_000; i += 50) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, j) => harness.form("/get_result", { order_no: guess(i + j, real) })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(404));
  }
  expect(harness.wire.calls.length).toBe(before);
  expect((await harness.form("/get_result", { order_no: real })).status).toBe(200);
});
