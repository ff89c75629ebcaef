import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readBody } from "../../src/doors/body.ts";
import { ErrorReason } from "../../src/errors.ts";
import { BODY_TIMEOUT_MS, createBudget } from "../../src/lib/budget.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const intake = createBudget(1 << 20);

/** Reads a body that a test writes. */
function reading(headers: IncomingHttpHeaders = {}) {
  const source = Object.assign(new PassThrough(), { headers });
  const share = intake.open();
  const { signal } = new AbortController();
  const body = readBody(source as unknown as IncomingMessage, {
    share,
    signal,
    frames: undefined,
    maxBytes: 1_000,
  });
  return { source, share, body };
}

test("a body that arrives in pieces is read as one", async () => {
  const { source, share, body } = reading();
  source.write("ab");
  source.end("c");
  expect((await body).toString()).toBe("abc");
  expect(intake.taken).toBeGreaterThan(0);
  share.release();
  expect(intake.taken).toBe(0);
});

test("a trickling body has one minute in total, not per piece", async () => {
  const { source, share, body } = reading();
  const failed = expect(body).rejects.toMatchObject({ reason: ErrorReason.DEADLINE_EXCEEDED });
  for (let spent = 0; spent < BODY_TIMEOUT_MS; spent += BODY_TIMEOUT_MS / 10) {
    source.write("x");
    await vi.advanceTimersByTimeAsync(BODY_TIMEOUT_MS / 10);
  }
  await failed;
  share.release();
});

test("a body over its own limit and one over the process-wide limit are refused with different reasons", async () => {
  const large = reading();
  large.source.write(Buffer.alloc(1_001));
  await expect(large.body).rejects.toMatchObject({ reason: ErrorReason.PAYLOAD_TOO_LARGE });
  large.share.release();
  const others = intake.open();
  others.take(1 << 20);
  await expect(reading().body).rejects.toMatchObject({ reason: ErrorReason.OVERLOADED });
  others.release();
});

test("a body that announces more than its limit is refused before any of it has come", async () => {
  const { share, body } = reading({ "content-length": "1001" });
  await expect(body).rejects.toMatchObject({ reason: ErrorReason.PAYLOAD_TOO_LARGE });
  expect(intake.taken).toBe(0);
  share.release();
  const { source, share: other, body: whole } = reading({ "content-length": "1000" });
  source.end(Buffer.alloc(1_000));
  expect(await whole).toHaveLength(1_000);
  other.release();
});
