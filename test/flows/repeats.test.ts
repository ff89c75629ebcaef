import { describe, expect, test } from "vitest";
import { type Harness, startHarness } from "../support/harness.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const launchOf = ({ body }: Awaited<ReturnType<Harness["form"]>>) => {
  const { server_time: _now, ...launch } = body.result;
  return launch;
};

describe.concurrent("a request id", () => {
  test("a request id names one launch, whichever door repeats it", async () => {
    await using harness = await startHarness();
    const first = await harness.form("/get_face_params", { ...person, request_id: "r-1" });
    const again = await harness.form("/get_face_params", { ...person, request_id: "r-1" });
    const json = await harness.json("GetFaceParams", {
      name: person.name,
      idNo: person.id_no,
      requestId: "r-1",
    });
    expect(launchOf(again)).toEqual(launchOf(first));
    expect([json.body.orderNo, json.body.sign]).toEqual([first.body.result.order_no, first.body.result.sign]);
    expect(harness.wire.of("upload")).toHaveLength(1);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(1);
  });

  test("a request id with other parameters is refused on every door, without a call to the vendor", async () => {
    await using harness = await startHarness();
    await harness.form("/get_face_params", { ...person, request_id: "r-2" });
    const form = await harness.form("/get_face_params", { ...person, name: "李四", request_id: "r-2" });
    expect([form.status, form.body.reason]).toEqual([409, "REQUEST_ID_REUSED"]);
    const json = await harness.json("GetFaceParams", {
      name: "李四",
      idNo: person.id_no,
      requestId: "r-2",
    });
    expect([json.status, json.body.code]).toEqual([409, "already_exists"]);
    expect(harness.wire.of("upload")).toHaveLength(1);
  });

  test("a request id of a failed launch can be used again", async () => {
    await using harness = await startHarness();
    harness.sandbox.faults.add({ endpoint: "upload", kind: "code", code: "66660021" });
    const failed = await harness.form("/get_face_params", { ...person, request_id: "r-3" });
    expect([failed.status, failed.body.reason]).toEqual([503, "UPSTREAM_UNAVAILABLE"]);
    const again = await harness.form("/get_face_params", { ...person, request_id: "r-3" });
    expect([again.status, again.body.code]).toEqual([200, "0"]);
  });

  test("a request id belongs to its caller", async () => {
    await using harness = await startHarness({
      env: { HTTP_AUTH_TOKENS: `one:${"a".repeat(16)},two:${"b".repeat(16)}` },
    });
    const message = { name: person.name, idNo: person.id_no, requestId: "r-4" };
    const as = (token: string) =>
      harness.json("GetFaceParams", message, { authorization: `Bearer ${token.repeat(16)}` });
    const [one, two] = [await as("a"), await as("b")];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body.orderNo).not.toBe(one.body.orderNo);
  });
});

describe.concurrent("two taps of one person at once", () => {
  test("two simultaneous taps of one person share one launch without waiting for the vendor's two seconds", async () => {
    await using harness = await startHarness();
    harness.sandbox.faults.add({ endpoint: "upload", kind: "delay", delayMs: 300 });
    const taps = await Promise.all([1, 2, 3].map(() => harness.form("/get_face_params", person)));
    const [first] = taps.map(launchOf);
    expect(taps.map(launchOf)).toEqual([first, first, first]);
    expect(harness.wire.of("upload")).toHaveLength(1);
    expect(harness.wire.of("nonce_ticket")).toHaveLength(1);
    expect(harness.sandbox.breaches).toEqual([]);
  });

  test("two consecutive taps of one person are two launches", async () => {
    await using harness = await startHarness();
    const first = launchOf(await harness.form("/get_face_params", person));
    const second = launchOf(await harness.form("/get_face_params", person));
    expect(second.order_no).not.toBe(first.order_no);
  });

  test("two simultaneous taps of two people are two launches", async () => {
    await using harness = await startHarness();
    harness.sandbox.faults.add({ endpoint: "upload", kind: "delay", delayMs: 200, times: 2 });
    const [one, two] = await Promise.all([
      harness.form("/get_face_params", person),
      harness.form("/get_face_params", { ...person, id_no: "119999199001010012" }),
    ]);
    expect(launchOf(two).order_no).not.toBe(launchOf(one).order_no);
  });
});
