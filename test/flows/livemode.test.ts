import { expect, test } from "vitest";
import { startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const warnings = (logs: readonly Record<string, unknown>[]) =>
  logs.filter(({ event }) => event === "test_app_on_live_host");

test("no response from the sandbox is live, however the service is pointed at it", async () => {
  await using harness = await startHarness();
  expect(harness.config.livemode).toBe(false);
  const launch = await harness.form("/get_face_params", person);
  expect(launch.body.result.livemode).toBe(false);
  await harness.playSdk(launch.body.result);
  const result = await harness.form("/get_result", { order_no: launch.body.result.order_no });
  expect(result.body.result).toMatchObject({ verdict: "PASSED", livemode: false });
  expect(harness.logs).toContainEqual(expect.objectContaining({ event: "service_started", livemode: false }));
  expect(warnings(harness.logs)).toEqual([]);
});

test.each([
  ["TIDA0001", 1],
  ["IDA00001", 0],
])("the app id %s on a live host causes %d warnings", async (appId, times) => {
  // The operator says that this is a gateway to the vendor.
  await using harness = await startHarness({ sandbox: { appId }, env: { FACEID_LIVE_HOSTS: "127.0.0.1" } });
  expect((await harness.form("/get_face_params", person)).body.result.livemode).toBe(true);
  expect(warnings(harness.logs)).toHaveLength(times);
});
