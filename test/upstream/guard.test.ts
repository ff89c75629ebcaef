import { describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { ErrorReason, type UpstreamEndpoint, UpstreamError, type UpstreamFailure } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import type { QueryResult, UpstreamClient } from "../../src/upstream/client.ts";
import { withResilience } from "../../src/upstream/resilience.ts";

const query = { orderNo: "o", nonce: "n", sign: "s" };
const signal = new AbortController().signal;

const roomy = async (): Promise<void> => undefined;

function guard(answer: () => Promise<QueryResult>, { maxConcurrent = 1_000, awaitRoom = roomy } = {}) {
  const changes: { endpoint: UpstreamEndpoint; open: boolean }[] = [];
  let calls = 0;
  const never = () => Promise.reject(new Error("not called"));
  const client: UpstreamClient = {
    fetchAccessToken: () => Promise.reject(new UpstreamError("access_token", "timeout")),
    fetchSignTicket: never,
    fetchNonceTicket: async () => ({ value: new Secret("t"), lifeMs: 1 }),
    upload: never,
    webUpload: never,
    query: () => {
      calls++;
      return answer();
    },
  };
  const events = { circuitChanged: (change: (typeof changes)[number]) => void changes.push(change) };
  return {
    client: withResilience(client, { maxConcurrent, unread: { awaitRoom }, events }),
    changes,
    calls: () => calls,
  };
}

const attempts = async (client: UpstreamClient, count: number) => {
  for (let i = 0; i < count; i++) await client.query(query, signal).catch(() => undefined);
};

describe("the circuit breaker", () => {
  test.each<UpstreamFailure>(["not_sent", "timeout", "broken", "status", "throttled"])(
    "the circuit of an endpoint that repeatedly fails as %s opens, and no other endpoint's",
    async (failure) => {
      const { client, changes, calls } = guard(() => Promise.reject(new UpstreamError("query", failure)));
      await attempts(client, 60);
      expect(changes).toEqual([{ endpoint: "query", open: true }]);
      const before = calls();
      await expect(client.query(query, signal)).rejects.toMatchObject({
        reason: ErrorReason.UPSTREAM_UNAVAILABLE,
        retryAfterMs: 5_000,
      });
      expect(calls()).toBe(before);
      await expect(client.fetchNonceTicket(new Secret("t"), "u", signal)).resolves.toBeDefined();
    },
  );

  test.each<[string, () => unknown]>([
    ["a code of the vendor", () => new UpstreamError("query", "code", { entry: codeEntry("400101") })],
    ["a caller that left", () => new UpstreamError("query", "aborted")],
    ["an answer that cannot be read", () => new UpstreamError("query", "malformed")],
  ])("the circuit stays closed for %s", async (_what, error) => {
    const { client, changes, calls } = guard(() => Promise.reject(error() as Error));
    await attempts(client, 60);
    expect([changes, calls()]).toEqual([[], 60]);
  });

  test("the circuit stays closed after a few failures", async () => {
    const { client, changes } = guard(() => Promise.reject(new UpstreamError("query", "timeout")));
    await attempts(client, 30);
    expect(changes).toEqual([]);
  });

  test("the token call, which has its own backoff, has no circuit breaker", async () => {
    const { client, changes } = guard(() => Promise.reject(new Error("not called")));
    for (let i = 0; i < 60; i++) {
      await expect(client.fetchAccessToken(new Secret("s"), signal)).rejects.toBeInstanceOf(UpstreamError);
    }
    expect(changes).toEqual([]);
  });
});

test("the bulkhead rejects calls beyond its capacity at once", async () => {
  const { promise, resolve } = Promise.withResolvers<QueryResult>();
  const { client, calls } = guard(() => promise, { maxConcurrent: 2 });
  const inside = [client.query(query, signal), client.query(query, signal)];
  await expect(client.query(query, signal)).rejects.toMatchObject({
    reason: ErrorReason.OVERLOADED,
    retryAfterMs: 1_000,
  });
  expect(calls()).toBe(2);
  const result = { entry: codeEntry("0") } as QueryResult;
  resolve(result);
  expect(await Promise.all(inside)).toEqual([result, result]);
});

test("files are requested when there is room for them, and a verdict at any time", async () => {
  const waiting: (() => void)[] = [];
  const awaitRoom = () => new Promise<void>((resolve) => void waiting.push(resolve));
  const result = { entry: codeEntry("0") } as QueryResult;
  const { client, calls } = guard(async () => result, { awaitRoom });
  const files = [1, 2, 3].map(() => client.query({ ...query, media: true }, signal));
  expect(await client.query(query, signal)).toBe(result);
  expect([calls(), waiting.length]).toEqual([1, 2]);
  // The third asks again once it is its turn.
  for (let turn = 0; turn < 3; turn++) {
    waiting[turn]!();
    await expect.poll(() => [calls(), waiting.length]).toEqual([turn + 2, 3]);
  }
  expect(await Promise.all(files)).toEqual([result, result, result]);
});

describe("queries in the background", () => {
  test("have places of their own, beside those of callers", async () => {
    const answers = Promise.withResolvers<never>();
    answers.promise.catch(() => undefined);
    const { client, calls } = guard(() => answers.promise, { maxConcurrent: 1 });
    const held = [
      client.query(query, signal),
      ...[1, 2, 3, 4].map(() => client.queryInBackground(query, signal)),
    ];
    const overloaded = { reason: ErrorReason.OVERLOADED };
    await expect(client.queryInBackground(query, signal)).rejects.toMatchObject(overloaded);
    await expect(client.query(query, signal)).rejects.toMatchObject(overloaded);
    expect(calls()).toBe(5);
    answers.reject(new UpstreamError("query", "aborted"));
    await Promise.allSettled(held);
  });

  test("share the callers' circuit", async () => {
    const { client, calls } = guard(() => Promise.reject(new UpstreamError("query", "timeout")));
    await attempts(client, 60);
    const before = calls();
    await expect(client.queryInBackground(query, signal)).rejects.toMatchObject({
      reason: ErrorReason.UPSTREAM_UNAVAILABLE,
      retryAfterMs: 5_000,
    });
    expect(calls()).toBe(before);
  });
});
