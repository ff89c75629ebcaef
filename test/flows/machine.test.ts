import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createAuthority } from "../support/certificates.ts";
import { eventually, type Harness, startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const MINUTE = 60_000;

async function metric({ admin }: Harness, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const [, value] = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text) ?? [];
  return value === undefined ? undefined : Number(value);
}
const lines = ({ logs }: Harness, event: string) => logs.filter((line) => line["event"] === event);

describe("the clock, by the time in the vendor's answers", () => {
  test.each([10, -10])(
    "a clock that is %d minutes off sets a gauge and logs one warning",
    async (minutes) => {
      const clock = { ...systemClock, now: () => systemClock.now() + minutes * MINUTE };
      await using harness = await startHarness({ overrides: { clock } });
      await harness.form("/get_face_params", person);
      const skew = (await metric(harness, "faceid_clock_skew_seconds")) ?? 0;
      expect(Math.abs(skew - minutes * 60)).toBeLessThan(10);
      expect(lines(harness, "clock_skewed")).toMatchObject([{ level: "warn", ahead_s: expect.any(Number) }]);
    },
  );

  test("a correct clock is not logged, and a corrected one is", async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    await using harness = await startHarness({ overrides: { clock } });
    expect(Math.abs((await metric(harness, "faceid_clock_skew_seconds")) ?? Number.NaN)).toBeLessThan(10);
    expect(lines(harness, "clock_skewed")).toEqual([]);
    aheadMs = MINUTE;
    await harness.form("/get_face_params", person);
    expect(lines(harness, "clock_skewed")).toHaveLength(1);
    aheadMs = 0;
    await harness.form("/get_face_params", { ...person, user_id: "another" });
    expect(lines(harness, "clock_right")).toHaveLength(1);
  });

  test("the clock's gauge is absent until the vendor has responded", async () => {
    await using harness = await startHarness({
      ready: false,
      prepare: (sandbox) => sandbox.faults.add({ endpoint: "access_token", kind: "status", times: null }),
    });
    await eventually(() => lines(harness, "refresh_finished").length > 0);
    expect(await metric(harness, "faceid_clock_skew_seconds")).toBeUndefined();
  });
});

test.each([
  [0, "warn", 1],
  [3, "error", -2],
])("a certificate of two days is logged %d days later as %s", async (days, level, left) => {
  using authority = createAuthority();
  const { cert, key } = authority.issue("server");
  const files: Record<string, string> = { cert, key };
  const clock = createTurnableClock(systemClock);
  clock.advance(days * 24 * 60 * MINUTE);
  await using harness = await startHarness({
    sandbox: { sharedClock: clock },
    overrides: { clock },
    env: { TLS_CERT_FILE: "cert", TLS_KEY_FILE: "key" },
    readFile: (path) => files[path] ?? "",
  });
  expect(lines(harness, "certificate_loaded")).toMatchObject([
    { level, file: "TLS_CERT_FILE", days_left: left },
  ]);
  const seconds = (await metric(harness, "faceid_certificate_seconds_to_expiry")) ?? 0;
  expect(Math.floor(seconds / 86_400)).toBe(left);
});

describe("/readyz says how the last refresh failed", () => {
  test.each([
    [{ kind: "code", code: "400103" } as const, "refused", /^access_token: code 400103$/],
    [{ kind: "status" } as const, "unknown", /^access_token: status \(HTTP 5\d\d\)$/],
  ])("a refresh that failed by %j is reported by /readyz", async (fault, outcome, error) => {
    await using harness = await startHarness({
      ready: false,
      prepare: (sandbox) => sandbox.faults.add({ endpoint: "access_token", times: null, ...fault }),
    });
    await eventually(() => lines(harness, "refresh_finished").length > 0);
    const response = await fetch(`${harness.admin}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "unavailable",
      reason: "there is no ticket pair yet",
      last_refresh: { outcome, error: expect.stringMatching(error), seconds_ago: expect.any(Number) },
    });
  });

  test("/readyz reports no refresh if none has failed", async () => {
    await using harness = await startHarness();
    expect(await (await fetch(`${harness.admin}/readyz`)).json()).toEqual({
      status: "ok",
      reason: "a usable ticket pair is held",
    });
  });
});
