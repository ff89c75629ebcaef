import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { type Cost, costOf } from "./cost.ts";
import { begin, calls, open } from "./send.ts";
import { BODIES, FAST, GET_FACE_PARAMS, JSONS, MIB, PLAIN, WEB } from "./shapes.ts";
import { allTold, linesOf } from "./told.ts";

// Bodies that no honest client sends, from callers without a token: what they cost, and what they are told.

const TOKEN = "0123456789abcdef";
const CALLS = 40;
/** What issue and manifest allow for 40 of them: the same on any machine for memory, generous for time. */
const LIMITS = { cpuMs: 1_000, rssMib: 150, healthMs: 500 };

let sandbox: Sandbox;
let child: Child;
/** What as many calls cost whose body is as large and one honest photo. */
let honest: Cost;
beforeAll(async () => {
  const upstream = await startUpstream();
  ({ sandbox } = upstream);
  child = await startChild({
    env: { ...upstream.env, GRPC_AUTH_TOKENS: `a:${TOKEN}`, HTTP_AUTH_TOKENS: `a:${TOKEN}` },
  });
  const photo = Buffer.alloc(MIB - 5);
  photo.set([0x2a, 0xf7, 0xff, 0x3f]);
  const body = Buffer.concat([Buffer.of(0, 0, 0x0f, 0xff, 0xfb), photo]);
  // Once for the just-in-time compiler, and once to be measured.
  await calls(`http://${child.grpc}`, GET_FACE_PARAMS, CALLS, FAST, body);
  honest = await costOf(child, () => calls(`http://${child.grpc}`, GET_FACE_PARAMS, CALLS, FAST, body));
});
afterEach(() => expect(child.err()).toBe(""));
afterAll(async () => {
  await endChildren();
  await sandbox.stop();
});

/** On a slower machine the honest calls take longer as well. */
function expectCheap(cost: Cost): void {
  expect(cost.cpuMs).toBeLessThan(LIMITS.cpuMs + 4 * honest.cpuMs);
  expect(cost.rssMib).toBeLessThan(LIMITS.rssMib);
  expect(cost.healthMs).toBeLessThan(LIMITS.healthMs + 4 * honest.healthMs);
}

async function attack(headers: Record<string, string>, body: Buffer, url = `http://${child.grpc}`) {
  let said: string[] = [];
  const cost = await costOf(child, async () => {
    said = await calls(url, GET_FACE_PARAMS, CALLS, headers, body);
  });
  expect(said).toHaveLength(CALLS);
  return { said: [...new Set(said)].join(), cost };
}

const STATUS: Record<keyof typeof BODIES, string> = {
  "empty messages": "grpc 12",
  "empty trailers": "grpc 13",
  "messages of one byte": "grpc 12",
  "unknown fields": "grpc 3",
  "one field again and again": "grpc 3",
  "unknown groups": "grpc 3",
  "a length that is never reached": "grpc 3",
  "a bomb": "grpc 8",
};

describe("40 bodies of a megabyte on one connection", () => {
  test.each(Object.entries(BODIES))(
    "a flood of gRPC bodies with %s stays within its cost limits",
    async (name, body) => {
      const fast = await attack(FAST, body);
      const plain = await attack(PLAIN, body);
      const web = await attack(WEB, body);
      for (const { cost } of [fast, plain, web]) expectCheap(cost);
      // A bomb says that it is compressed and not how: the one door finds the one fault and the other door the other.
      const status = STATUS[name as keyof typeof BODIES];
      expect(fast.said).toBe(name === "a bomb" ? "grpc 13" : status);
      expect(plain.said).toBe(status);
      expect(web.said).toBe("http 200");
      // The fast door may not be the dearer one.
      expect(fast.cost.cpuMs).toBeLessThan(2 * plain.cost.cpuMs + 200);
    },
  );

  test.each(Object.entries(JSONS))(
    "a flood of JSON bodies with %s stays within its cost limits",
    async (_name, body) => {
      const fast = await attack({ "content-type": "application/json" }, body);
      const plain = await attack({ "content-type": "application/json; charset=utf-8" }, body);
      for (const { cost } of [fast, plain]) expectCheap(cost);
      expect(fast.said).toBe("http 400");
      expect(plain.said).toBe("http 400");
      expect(fast.cost.cpuMs).toBeLessThan(2 * plain.cost.cpuMs + 200);
    },
  );

  test("a flood of reflection requests on one stream stays within its cost limits", async () => {
    let said: string[] = [];
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const cost = await costOf(child, async () => {
      said = await calls(`http://${child.grpc}`, path, CALLS, FAST, BODIES["empty messages"]);
    });
    expect([...new Set(said)]).toEqual(["grpc 8"]);
    expect(cost.rssMib).toBeLessThan(LIMITS.rssMib);
    // 200 of each are answered, and not 200,000.
    expect(cost.cpuMs).toBeLessThan(2_000 + 8 * honest.cpuMs);
  });
});

describe("20 open bodies of a megabyte", () => {
  test.each([
    ["the fast door", FAST],
    ["plain Connect", PLAIN],
    ["gRPC-Web", WEB],
    ["JSON", { "content-type": "application/json" }],
  ])("a client that hangs up with 20 open bodies for %s leaves nothing behind", async (_door, headers) => {
    const before = await allTold(child);
    const body = Buffer.concat([Buffer.of(0, 0, 0x0f, 0xff, 0xf0), Buffer.alloc(MIB - 1_000)]);
    const cost = await costOf(child, async () => {
      const session = open(`http://${child.grpc}`);
      const written = Array.from(
        { length: 20 },
        () =>
          new Promise((resolve) =>
            // The last bytes wait for a window that the service does not owe to a body that is too much.
            begin(session, GET_FACE_PARAMS, headers).write(body, resolve),
          ),
      );
      await Promise.race([Promise.all(written), delay(3_000)]);
      session.destroy();
      await eventually(() => linesOf(child, "request_refused", before).length >= 20);
    });
    expectCheap(cost);
    await allTold(child);
    const outcomes = linesOf(child, "request_refused", before).map((line) => line["outcome"]);
    expect(outcomes).toEqual([...Array(20).fill("CANCELLED"), "ROUTE_NOT_FOUND"]);
  });
});
