import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  type GetResultRequest,
  GetResultRequestSchema,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Caller, Handler, IncomingCall } from "../../src/calls/call.ts";
import type { CallFinished } from "../../src/calls/ongoing-call.ts";
import { type Method } from "../../src/calls/pipeline.ts";
import { codeEntry } from "../../src/domain/codes.ts";
import { ErrorReason, ServiceError, UpstreamError } from "../../src/errors.ts";
import { openScope } from "../../src/lib/deadline.ts";
import { incomingForm, openPipeline } from "../support/pipeline.ts";

type Input = typeof GetResultRequestSchema;
type Output = typeof GetResultResponseSchema;

const someone: Caller = { name: "someone", internal: false, subject: "", media: false };
const answer = create(GetResultResponseSchema, { orderNo: "order1" });
const never: Handler<GetResultRequest, typeof answer> = (_request, { signal }) =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });

/** One method behind a pipeline, and what was observed of the calls. */
function wrapped(
  handler: Handler<GetResultRequest, typeof answer>,
  {
    authorise = () => someone,
    maxDurationMs = 60_000,
    ...rest
  }: Partial<Method<Input, Output>> & { authorise?: () => Caller; maxDurationMs?: number } = {},
) {
  const lines: CallFinished[] = [];
  const events = { callFinished: (line: CallFinished) => void lines.push(line) };
  const pipeline = openPipeline({ authorise, maxDurationMs, events });
  const method = pipeline.unary({
    name: "GetResult",
    input: GetResultRequestSchema,
    output: GetResultResponseSchema,
    handler,
    ...rest,
  });
  const call = (orderNo: string, changes: Partial<IncomingCall> = {}) =>
    method(create(GetResultRequestSchema, { orderNo }), { ...incomingForm("request-1"), ...changes });
  return { call, lines };
}

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "OK",
    (error: unknown) =>
      error instanceof ServiceError ? error.reason : `not a ServiceError: ${String(error)}`,
  );

describe("the service's own time limit", () => {
  test("a call without a deadline ends at the service's own time limit", async () => {
    const { call, lines } = wrapped(never, { maxDurationMs: 30 });
    expect(await reasonOf(call("order1"))).toBe(ErrorReason.DEADLINE_EXCEEDED);
    expect(lines).toMatchObject([{ error: { message: "the service's own time limit passed" } }]);
  });

  test("a call that its caller ends before the service's own time limit ends at once", async () => {
    const scope = openScope();
    const { call } = wrapped(never);
    const outcome = reasonOf(call("order1", { scope }));
    scope.end(new ServiceError(ErrorReason.CANCELLED, "the caller went away"));
    expect(await outcome).toBe(ErrorReason.CANCELLED);
  });

  test("a call whose caller has already disconnected reaches no handler", async () => {
    let handled = 0;
    const { call, lines } = wrapped(async () => {
      handled += 1;
      return answer;
    });
    const scope = openScope();
    scope.end(new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "too late"));
    expect(await reasonOf(call("order1", { scope }))).toBe(ErrorReason.DEADLINE_EXCEEDED);
    expect([handled, lines.length]).toEqual([0, 1]);
  });
});

describe("the order of checks", () => {
  test("a call is authenticated before it is validated, so that strangers learn nothing of the rules", async () => {
    const authorise = () => {
      throw new ServiceError(ErrorReason.UNAUTHENTICATED, "no bearer token was presented");
    };
    const { call, lines } = wrapped(async () => answer, { authorise });
    expect(await reasonOf(call("not-an-order"))).toBe(ErrorReason.UNAUTHENTICATED);
    expect(lines).toMatchObject([{ caller: "", requestId: "request-1", peer: "192.0.2.1" }]);
  });

  test("violations of the proto's and the method's rules are reported together, after normalisation", async () => {
    const { call } = wrapped(async () => answer, {
      normalise: (request) => ({ ...request, orderNo: request.orderNo.trim() }),
      violations: ({ orderNo }) => [{ field: "order_no", rule: `seen.${orderNo}` }],
    });
    await expect(call(" a-b ")).rejects.toMatchObject({
      reason: ErrorReason.INVALID_REQUEST,
      violations: [{ rule: "string.pattern" }, { rule: "seen.a-b" }],
    });
  });
});

describe("a failing handler", () => {
  test.each([
    ["our own error", new ServiceError(ErrorReason.ORDER_NOT_FOUND, "x"), ErrorReason.ORDER_NOT_FOUND],
    ["a bug", new TypeError("x is not a function"), ErrorReason.INTERNAL],
    ["no error at all", "text", ErrorReason.INTERNAL],
    ["a timeout", new UpstreamError("query", "timeout"), ErrorReason.UPSTREAM_TIMEOUT],
    ["a lost connection", new UpstreamError("query", "broken"), ErrorReason.UPSTREAM_UNAVAILABLE],
    ["a page", new UpstreamError("query", "malformed"), ErrorReason.UPSTREAM_UNEXPECTED],
    ["HTTP 429", new UpstreamError("query", "throttled"), ErrorReason.RATE_LIMITED],
    [
      "a code",
      new UpstreamError("upload", "code", { entry: codeEntry("66660015") }),
      ErrorReason.IDENTITY_REJECTED,
    ],
    [
      "an unknown code",
      new UpstreamError("upload", "code", { entry: codeEntry("123") }),
      ErrorReason.UPSTREAM_UNEXPECTED,
    ],
    [
      "a verdict where none can be",
      new UpstreamError("upload", "code", { entry: codeEntry("0") }),
      ErrorReason.UPSTREAM_UNEXPECTED,
    ],
  ])("a handler that throws %s rejects with the matching ServiceError", async (_what, thrown, reason) => {
    const { call, lines } = wrapped(() => Promise.reject(thrown as Error));
    expect(await reasonOf(call("order1"))).toBe(reason);
    expect(lines).toMatchObject([{ method: "GetResult", caller: "someone", error: { reason } }]);
  });

  test("a successful call reports one event without an error and with the noted facts", async () => {
    const { call, lines } = wrapped(async (_request, { note }) => {
      note({ upstream_code: "0" });
      note({ biz_seq_no: "b1" });
      return answer;
    });
    expect(await call("order1")).toBe(answer);
    expect(lines).toMatchObject([{ error: undefined, facts: { upstream_code: "0", biz_seq_no: "b1" } }]);
  });
});
