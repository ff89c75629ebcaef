import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import {
  type GetFaceParamsRequest,
  GetFaceParamsRequestSchema,
  GetFaceParamsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Call } from "../../src/calls/call.ts";
import type { PrepareLaunch } from "../../src/handlers/prepare-launch.ts";
import { createMemoryLaunchStore } from "../../src/launches/memory-store.ts";
import { withFallback } from "../../src/launches/open-store.ts";
import { shareLaunches } from "../../src/launches/share-launches.ts";
import type { LaunchStore } from "../../src/launches/store.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { NO_ORDERS } from "../../src/orders/orders.ts";

/** Launches that end when the test says so, and the replicas that prepare them over one store. */
function fleet(store: LaunchStore = { ...createMemoryLaunchStore(systemClock), shared: true }) {
  const begun: { request: GetFaceParamsRequest; signal: AbortSignal; done: PromiseWithResolvers<void> }[] =
    [];
  const launch: PrepareLaunch = async (request, _person, { signal }) => {
    const done = Promise.withResolvers<void>();
    const number = begun.push({ request, signal, done });
    signal.addEventListener("abort", () => done.reject(signal.reason as Error), { once: true });
    await done.promise;
    return create(GetFaceParamsResponseSchema, {
      orderNo: `order${number}`,
      startBefore: timestampFromMs(Date.now() + 60_000),
    });
  };
  const replica = () => {
    const { requests } = NO_ORDERS;
    const share = shareLaunches(launch, { store, requests, pseudonym: (text) => text, clock: systemClock });
    return (request: GetFaceParamsRequest, call: Call) => share(request, "person", call);
  };
  return { begun, replica };
}

const person = create(GetFaceParamsRequestSchema, { name: "张三", idNo: "11010519491231002X" });
const named = (requestId: string) => create(GetFaceParamsRequestSchema, { ...person, requestId });
const call = (signal: AbortSignal = new AbortController().signal): Call => ({
  caller: { name: "app", internal: false, subject: "", media: false },
  requestId: "x",
  signal,
  note: () => undefined,
});
const until = (condition: () => boolean) => expect.poll(condition, { timeout: 10_000 }).toBe(true);
/** Lets everything that can go on without waiting go on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("taps at two replicas share the first one's launch", async () => {
  const { begun, replica } = fleet();
  const first = replica()(person, call());
  await until(() => begun.length === 1);
  const second = replica()(person, call());
  await settled();
  begun[0]?.done.resolve();
  expect([(await first).orderNo, (await second).orderNo]).toEqual(["order1", "order1"]);
  expect(begun).toHaveLength(1);
});

test("a shared launch continues while any caller waits and stops when none does", async () => {
  const { begun, replica } = fleet();
  const one = replica();
  const [a, b] = [new AbortController(), new AbortController()];
  const [first, second] = [one(person, call(a.signal)), one(person, call(b.signal))];
  await until(() => begun.length === 1);
  await settled();
  a.abort(new Error("gone"));
  await expect(first).rejects.toThrow("gone");
  expect(begun[0]?.signal.aborted).toBe(false);
  b.abort(new Error("gone too"));
  await expect(second).rejects.toThrow("gone too");
  expect(begun[0]?.signal.aborted).toBe(true);
});

test("a waiting replica prepares its own launch when the first replica fails", async () => {
  const { begun, replica } = fleet();
  const first = replica()(person, call());
  await until(() => begun.length === 1);
  const second = replica()(person, call());
  await settled();
  begun[0]?.done.reject(new Error("the vendor is away"));
  await expect(first).rejects.toThrow("the vendor is away");
  await until(() => begun.length === 2);
  begun[1]?.done.resolve();
  expect((await second).orderNo).toBe("order2");
});

test("a repeat at another replica gets the same launch, and a concurrent repeat waits for it", async () => {
  const { begun, replica } = fleet();
  const first = replica()(named("r"), call());
  await until(() => begun.length === 1);
  const parallel = replica()(named("r"), call());
  await settled();
  begun[0]?.done.resolve();
  expect([(await first).orderNo, (await parallel).orderNo]).toEqual(["order1", "order1"]);
  expect((await replica()(named("r"), call())).orderNo).toBe("order1");
  expect(begun).toHaveLength(1);
});

test("a repeat of a tap that shared another's launch gets that launch", async () => {
  const { begun, replica } = fleet();
  const first = replica()(named("a"), call());
  await until(() => begun.length === 1);
  const second = replica()(named("b"), call());
  await settled();
  begun[0]?.done.resolve();
  await Promise.all([first, second]);
  expect((await replica()(named("b"), call())).orderNo).toBe("order1");
});

test("an unreachable shared store costs sharing between replicas, but no launch", async () => {
  const away = () => Promise.reject(new Error("away"));
  const failures: unknown[] = [];
  const store = withFallback(
    { shared: true, claim: away, release: away, keep: away, outcome: away, change: away, erase: away },
    createMemoryLaunchStore(systemClock),
    { launchStoreAsked: ({ ok, error }) => void (ok || failures.push(error)) },
  );
  const { begun, replica } = fleet(store);
  const answer = replica()(named("r"), call());
  await until(() => begun.length === 1);
  begun[0]?.done.resolve();
  expect((await answer).orderNo).toBe("order1");
  expect(failures.length).toBeGreaterThan(0);
});
