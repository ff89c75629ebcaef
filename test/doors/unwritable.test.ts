import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  FaceVerificationService,
  GetFaceParamsResponseSchema,
  GetResultResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Implementation } from "../../src/calls/implement.ts";
import { createFormRoutes } from "../../src/doors/form/routes.ts";
import { createFastPath } from "../../src/doors/rpc/fast-path/fast-path.ts";
import { connectPlugin } from "../../src/doors/rpc/plugin.ts";
import { createRoutes } from "../../src/doors/rpc/routes.ts";
import { createBudget } from "../../src/lib/budget.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { openDoors } from "./doors.ts";

// An answer that no encoder takes: whatever comes to be one must not leave its caller without any.
const time = { startBefore: { seconds: 2n ** 70n, nanos: 0 } };
const methods = {
  getFaceParams: async () => ({ ...create(GetFaceParamsResponseSchema), ...time }),
  getResult: async () => ({
    ...create(GetResultResponseSchema, { code: "0" }),
    occurredAt: time.startBefore,
  }),
} as unknown as Implementation<typeof FaceVerificationService>["methods"];
const served = { service: FaceVerificationService, methods };

let authority: Authority;
let failed: { door: string; path: string }[];
const others: unknown[] = [];

beforeAll(() => {
  authority = createAuthority();
});
beforeEach(() => {
  failed = [];
});
afterAll(() => authority[Symbol.dispose]());

async function withDoors(
  usual: boolean,
  work: (doors: ReturnType<typeof openDoors>["doors"]) => Promise<void>,
): Promise<void> {
  const note = (event: unknown) => void others.push(event);
  const events = {
    requestRefused: note,
    wouldBeRefused: note,
    requestTurnedAway: note,
    answerFailed: (event: { door: string; path: string }) => void failed.push(event),
  };
  const intake = createBudget(1 << 24);
  const tls = authority.issue("doors");
  const listener: Listener = createListener({
    address: { host: "127.0.0.1", port: 0 },
    cleartext: "http1",
    tls: () => tls,
    plugins: [
      createFormRoutes({ methods, intake, strict: "off", events }),
      connectPlugin([createRoutes(served, "public")], 1_000, {
        events,
        intake,
        ...(usual && { fastPath: createFastPath(served, "public", { events, intake }) }),
      }),
    ],
    closing: new AbortController(),
    slowReaders: { watch: () => undefined, watchStream: () => undefined },
    events,
    drainMs: 1_000,
    clock: systemClock,
  });
  await listener.start();
  const opened = openDoors(listener.address(), authority.ca);
  try {
    await work(opened.doors);
  } finally {
    await opened.close();
    await listener.stop();
  }
}

test.each([
  ["with the fast path", true],
  ["by Connect alone", false],
])("a response that cannot be written, %s, is INTERNAL on every door, and reported", async (_name, usual) => {
  await withDoors(usual, async (doors) => {
    for (const [name, door] of Object.entries(doors)) {
      const launch = await door.getFaceParams({ name: "张三", idNo: "11010519491231002X" });
      expect([name, launch]).toEqual([
        name,
        expect.objectContaining({ reason: "INTERNAL", status: "right" }),
      ]);
      const result = await door.getResult("order1");
      expect([name, result]).toEqual([
        name,
        expect.objectContaining({ reason: "INTERNAL", status: "right" }),
      ]);
      expect(failed).toHaveLength(2);
      failed = [];
    }
    expect(others).toEqual([]);
  });
});
