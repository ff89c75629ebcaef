import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { costOf } from "./cost.ts";
import { begin, open, outcome } from "./send.ts";
import { FAST, GET_RESULT, MIB, PLAIN, WEB } from "./shapes.ts";

// More of everything than anybody needs: streams, bodies that do not end, connections.

let sandbox: Sandbox;
let env: Record<string, string>;
let child: Child;
beforeAll(async () => {
  ({ sandbox, env } = await startUpstream());
});
beforeEach(async () => {
  child = await startChild({ env: { ...env, SHUTDOWN_DELAY: "1ms", SHUTDOWN_GRACE: "4s" } });
});
afterEach(async () => {
  expect(child.err()).toBe("");
  await endChildren();
});
afterAll(() => sandbox.stop());

/** Of a body that announces a megabyte, all but the end. */
const UNFINISHED = Buffer.concat([Buffer.of(0, 0, 0x0f, 0xff, 0xf0), Buffer.alloc(MIB - 1_000)]);
const url = () => `http://${child.grpc}`;

test("a client that opens 20,000 streams on one connection is limited and holds little memory", async () => {
  const session = open(url());
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  expect(session.remoteSettings.maxConcurrentStreams).toBe(250);
  const cost = await costOf(child, async () => {
    for (let count = 0; count < 20_000; count++) begin(session, GET_RESULT, FAST);
    await new Promise((resolve) => session.ping(resolve));
    await delay(500);
  });
  expect(cost.rssMib).toBeLessThan(80);
  session.destroy();
});

test("unfinished bodies of 400 MB in total are refused above the limit, and the service goes on", async () => {
  const said: Record<string, number> = {};
  const cost = await costOf(child, async () => {
    const sessions = Array.from({ length: 4 }, () => open(url()));
    const streams = Array.from({ length: 400 }, (_, index) =>
      begin(
        sessions[index % 4] as (typeof sessions)[number],
        GET_RESULT,
        [FAST, PLAIN, WEB][index % 3] ?? FAST,
      ),
    );
    for (const stream of streams) {
      stream.write(UNFINISHED);
      void outcome(stream).then((one) => {
        said[one] = (said[one] ?? 0) + 1;
      });
    }
    // gRPC-Web has its status in the body.
    const refused = () => (said["grpc 8"] ?? 0) + (said["http 200"] ?? 0);
    await eventually(() => refused() >= 300);
    await eventually(async () => (await fetch(`${child.admin}/livez`)).ok);
    for (const session of sessions) session.destroy();
  });
  expect(cost.rssMib).toBeLessThan(250);
  // Everything that was taken is given back.
  await eventually(async () => {
    const form = await fetch(`${child.http}/get_result`, {
      method: "POST",
      body: new URLSearchParams({ order_no: "order1" }),
    });
    return form.status === 404;
  }, 10_000);
});

test.each([
  ["the fast door", FAST],
  ["plain Connect", PLAIN],
  ["JSON", { "content-type": "application/json" }],
])("a deadline for %s counts from the headers, also while the body is arriving", async (_door, headers) => {
  const session = open(url());
  const json = headers["content-type"] === "application/json";
  const deadline = json ? { "connect-timeout-ms": "300" } : { "grpc-timeout": "300m" };
  const stream = begin(session, GET_RESULT, { ...headers, ...deadline });
  stream.write(UNFINISHED.subarray(0, 100));
  expect(await outcome(stream)).toBe(json ? "http 504" : "grpc 4");
  session.destroy();
});

test("SIGTERM ends the process within its grace period during a flood of bodies", async () => {
  const flooding = new AbortController();
  const flood = async (headers: Record<string, string>) => {
    while (!flooding.signal.aborted) {
      const session = open(url());
      const streams = Array.from({ length: 20 }, () => begin(session, GET_RESULT, headers));
      for (const stream of streams) stream.write(UNFINISHED);
      await delay(50);
      session.destroy();
    }
  };
  const floods = [FAST, PLAIN, WEB].map(flood);
  await delay(1_000);
  const began = performance.now();
  child.signal("SIGTERM");
  const code = await child.exited;
  flooding.abort();
  await Promise.all(floods);
  expect([0, 1]).toContain(code);
  expect(performance.now() - began).toBeLessThan(6_000);
});
