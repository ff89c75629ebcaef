import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Implementation } from "../../src/calls/implement.ts";
import { codeEntry, CODES as VENDOR_CODES } from "../../src/domain/codes.ts";
import { TEXTS } from "../../src/domain/messages.ts";
import { judge } from "../../src/domain/verdict.ts";
import { createFormRoutes } from "../../src/doors/form/routes.ts";
import { connectPlugin } from "../../src/doors/rpc/plugin.ts";
import { createRoutes } from "../../src/doors/rpc/routes.ts";
import { ErrorReason, reasonName, ServiceError } from "../../src/errors.ts";
import { createBudget } from "../../src/lib/budget.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { SCENARIOS } from "../../src/sandbox/vendor/scenarios.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import { type Cell, type Door, openDoors } from "./doors.ts";

/** The same call by every door; every cell of the row has to be the same. */
async function row(
  doors: Record<string, Door>,
  call: (door: Door, i: number) => Promise<Cell>,
): Promise<Cell> {
  const cells: [string, Cell][] = [];
  for (const [i, [name, door]] of Object.entries(doors).entries()) cells.push([name, await call(door, i)]);
  const [[, first]] = cells as [[string, Cell]];
  expect(Object.fromEntries(cells)).toEqual(Object.fromEntries(cells.map(([name]) => [name, first])));
  return first;
}

const nameOf = (names: Readonly<Record<string, number>>, value: number) =>
  Object.keys(names).find((name) => names[name] === value);

let authority: Authority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority[Symbol.dispose]());

describe("every reason", () => {
  let thrown: ServiceError;
  let listener: Listener;
  let opened: ReturnType<typeof openDoors>;
  beforeAll(async () => {
    // The doors as they are; behind them, methods that fail as the test says.
    const fail = () => Promise.reject(thrown);
    const methods = Object.fromEntries(
      FaceVerificationService.methods.map(({ localName }) => [localName, fail]),
    ) as unknown as Implementation<typeof FaceVerificationService>["methods"];
    const served = { service: FaceVerificationService, methods };
    const ignore = () => undefined;
    const events = {
      requestRefused: ignore,
      answerFailed: ignore,
      wouldBeRefused: ignore,
      requestTurnedAway: ignore,
    };
    const intake = createBudget(1 << 24);
    const tls = authority.issue("doors");
    listener = createListener({
      address: { host: "127.0.0.1", port: 0 },
      cleartext: "http1",
      tls: () => tls,
      plugins: [
        createFormRoutes({ methods, intake, strict: "off", events }),
        connectPlugin([createRoutes(served, "public")], 1_000, { events, intake }),
      ],
      closing: new AbortController(),
      slowReaders: { watch: ignore, watchStream: ignore },
      events,
      drainMs: 1_000,
      clock: systemClock,
    });
    await listener.start();
    opened = openDoors(listener.address(), authority.ca);
  });
  afterAll(async () => {
    await opened.close();
    await listener.stop();
  });

  const reasons = Object.values(ErrorReason).filter((reason) => reason !== ErrorReason.UNSPECIFIED);
  test.each(reasons.map((reason) => [reasonName(reason), reason] as const))(
    "the reason %s means the same on every door",
    async (name, reason) => {
      for (const language of ["zh", "en"] as const) {
        thrown = new ServiceError(reason, "for the log only", {
          cause: new Error("for the log only"),
          ...(reason === ErrorReason.RATE_LIMITED && { retryAfterMs: 1_500 }),
          ...(reason === ErrorReason.UPSTREAM_UNEXPECTED && { metadata: { upstream_code: "66669999" } }),
          ...(reason === ErrorReason.INVALID_REQUEST && {
            violations: [
              { field: "name", rule: "string.min_len" },
              { field: "id_no", rule: "id_no.check_digit" },
            ],
          }),
        });
        for (const call of [
          (door: Door) => door.getFaceParams({ name: "张三", idNo: "11010519491231002X" }, language),
          (door: Door) => door.getResult("order1", language),
        ]) {
          const cell = await row(opened.doors, call);
          expect(cell).toEqual({
            reason: name,
            status: "right",
            fields: thrown.violations.map(({ field, rule }) => `${field} ${rule}`),
            retryAfterS: reason === ErrorReason.RATE_LIMITED ? 2 : undefined,
            upstreamCode: thrown.metadata["upstream_code"],
            message: TEXTS[reason][language],
          });
          expect(JSON.stringify(cell)).not.toContain("for the log only");
        }
      }
    },
  );
});

describe("the service", () => {
  let harness: Harness;
  let opened: ReturnType<typeof openDoors>;
  let users = 0;
  beforeAll(async () => {
    const { cert, key } = authority.issue("service");
    const files: Record<string, string> = { cert, key };
    harness = await startHarness({
      env: { TLS_CERT_FILE: "cert", TLS_KEY_FILE: "key" },
      readFile: (path) => files[path] ?? "",
    });
    opened = openDoors(harness.http.replace("http://", ""), authority.ca);
  });
  afterAll(async () => {
    await opened.close();
    await harness.stop();
  });

  /** A launch that was prepared by the form, and played to the outcome. */
  async function orderWith(outcome: string): Promise<string> {
    const { form } = opened.doors as { form: Door };
    const cell = await form.getFaceParams({
      name: "张三",
      idNo: "11010519491231002X",
      userId: `matrix${users++}`,
    });
    const { ok } = cell as { ok: Record<string, string> };
    expect((await harness.playSdk(ok, outcome)).status).toBe(200);
    return ok["order_no"] ?? "";
  }

  const outcomes = SCENARIOS.filter(({ at }) => at === "query").map(
    ({ name, code }) => [name, code] as const,
  );
  test.each(outcomes)("the result of the outcome %s (%s) is the same on every door", async (name, code) => {
    const orderNo = await orderWith(name);
    const cell = await row(opened.doors, (door) => door.getResult(orderNo));
    expect(VENDOR_CODES.has(code) ? "known" : "unknown").toBe(name === "unknown_code" ? "unknown" : "known");
    if ("ok" in cell) expect(cell.ok).toMatchObject({ order_no: orderNo, code, livemode: false });
    else expect([cell.upstreamCode, cell.status]).toEqual([code, "right"]);
    expect("ok" in cell && cell.ok["verdict"] === "PASSED").toBe(code === "0");
  });

  test.each([...VENDOR_CODES.keys()])(
    "the vendor's code %s has its catalogued meaning on every door",
    async (code) => {
      const orderNo = await orderWith(code);
      const cell = await row(opened.doors, (door) => door.getResult(orderNo));
      // What refuses the pair is tried again with a new one; what comes of that is the business of other tests.
      const judgement = judge(codeEntry(code), 0);
      if ("error" in judgement)
        expect(cell).toMatchObject({ reason: reasonName(judgement.error), status: "right" });
      else expect(cell).toMatchObject({ ok: { code, verdict: nameOf(Verdict, judgement.verdict) } });
    },
  );

  test("the launch parameters have the same shape on every door", async () => {
    const shapes = await row(opened.doors, async (door) => {
      const userId = `matrix${users++}`;
      const cell = await door.getFaceParams({ name: "张三", idNo: "11010519491231002X", userId });
      const { ok } = cell as { ok: Record<string, unknown> };
      expect(ok["user_id"]).toBe(userId);
      const shape = (value: unknown) =>
        typeof value === "string" ? value.replaceAll(/[0-9A-Za-z]/g, "x") : value;
      const lengths = Object.entries(ok).map(([name, value]) => [
        name,
        /before|time|user_id/.test(name) ? typeof value : shape(value),
      ]);
      return { ok: Object.fromEntries(lengths) as Record<string, unknown> };
    });
    expect(Object.keys("ok" in shapes ? shapes.ok : {})).toHaveLength(11);
  });

  const good = { name: "张三", idNo: "11010519491231002X" };
  test.each<[string, Parameters<Door["getFaceParams"]>[0], string[]]>([
    ["no name", { ...good, name: "" }, ["name string.min_len"]],
    ["a name of one character", { ...good, name: "张" }, ["name string.min_len"]],
    ["a name of blanks", { ...good, name: " \t " }, ["name string.min_len"]],
    ["a long name", { ...good, name: "张".repeat(65) }, ["name string.max_len"]],
    ["a control character", { ...good, name: "张\u0007三" }, ["name name.control"]],
    ["a bidirectional override", { ...good, name: "张\u202e三" }, ["name name.control"]],
    ["no ID number", { ...good, idNo: "" }, ["id_no string.pattern"]],
    ["a short ID number", { ...good, idNo: "1234" }, ["id_no string.pattern"]],
    ["a long ID number", { ...good, idNo: "1".repeat(33) }, ["id_no string.pattern"]],
    ["digits of another script", { ...good, idNo: "١١٠١٠٥" }, ["id_no string.pattern"]],
    ["a letter among 18", { ...good, idNo: "11010519491231A02X" }, ["id_no id_no.characters"]],
    ["a wrong check digit", { ...good, idNo: "110105194912310021" }, ["id_no id_no.check_digit"]],
    ["an impossible date", { ...good, idNo: "110105194902310020" }, ["id_no id_no.birth_date"]],
    ["a user id with a dash", { ...good, userId: "a-b" }, ["user_id string.pattern"]],
    ["a long user id", { ...good, userId: "a".repeat(31) }, ["user_id string.pattern"]],
    ["a request id with a blank", { ...good, requestId: "a b" }, ["request_id string.pattern"]],
    [
      "everything at once",
      { name: "", idNo: "", userId: "-", requestId: "é" },
      ["name string.min_len", "id_no string.pattern", "user_id string.pattern", "request_id string.pattern"],
    ],
  ])(
    "a request with %s violates the same rules on every door, without a call to the vendor",
    async (_what, request, fields) => {
      const before = harness.wire.calls.length;
      for (const language of ["zh", "en"] as const) {
        const cell = await row(opened.doors, (door) => door.getFaceParams(request, language));
        expect(cell).toMatchObject({ reason: "INVALID_REQUEST", status: "right", fields });
      }
      expect(harness.wire.calls.length).toBe(before);
    },
  );

  test.each(["", "x", "-", "a".repeat(33), "11010519491231002X", "0".repeat(32)])(
    "the order number %j is refused alike on every door, without a call to the vendor",
    async (orderNo) => {
      const before = harness.wire.calls.length;
      const cell = await row(opened.doors, (door) => door.getResult(orderNo));
      expect(cell).toMatchObject({ status: "right" });
      expect("reason" in cell && cell.reason).toMatch(/^(INVALID_REQUEST|ORDER_NOT_FOUND)$/);
      expect(harness.wire.calls.length).toBe(before);
    },
  );

  test.each([
    ["66660015", "IDENTITY_REJECTED"],
    ["66660010", "IDENTITY_REJECTED"],
    ["66660017", "DAILY_LIMIT"],
    ["66660021", "UPSTREAM_UNAVAILABLE"],
    ["66660030", "UPSTREAM_MISCONFIGURED"],
    ["66669999", "UPSTREAM_UNEXPECTED"],
    ["400506", "RATE_LIMITED"],
    ["400502", "INTERNAL"],
  ])("an upload that the vendor answers with %s is the same error on every door", async (code, reason) => {
    harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code, times: 5 });
    const cell = await row(opened.doors, (door) =>
      door.getFaceParams({ ...good, userId: `matrix${users++}` }),
    );
    expect(cell).toMatchObject({ reason, status: "right", upstreamCode: code });
  });

  test.each([
    ["status", "UPSTREAM_UNAVAILABLE"],
    ["reset", "UPSTREAM_UNAVAILABLE"],
    ["truncate", "UPSTREAM_UNAVAILABLE"],
    ["html", "UPSTREAM_UNEXPECTED"],
  ] as const)(
    "a query that meets the fault %s is an error and no verdict on every door",
    async (kind, reason) => {
      const orderNo = await orderWith("passed");
      const id = harness.sandbox.faults.add({ endpoint: "query", kind, times: null });
      const cell = await row(opened.doors, (door) => door.getResult(orderNo));
      harness.sandbox.faults.clear(id);
      expect(cell).toMatchObject({ reason, status: "right" });
    },
  );
});
