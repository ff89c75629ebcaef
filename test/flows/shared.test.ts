import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Harness, startHarness } from "../support/harness.ts";
import { SHARED_SERVERS, type SharedServer, stopSharedServers } from "../support/shared-server.ts";

const person = { name: "张三", id_no: "11010519491231002X" };

afterAll(stopSharedServers);

describe.each(SHARED_SERVERS)("two processes on one $name", ({ start, missing }) => {
  if (missing !== undefined) {
    test.skip(missing, () => undefined);
    return;
  }
  let server: SharedServer;
  let one: Harness;
  let two: Harness;
  beforeAll(async () => {
    server = await start();
    one = await startHarness({ env: { STORE_URL: server.url, LIMIT_PER_PERSON: "3/m" } });
    const { FACEID_BASE_URL, FACEID_SECRET } = {
      FACEID_BASE_URL: one.wire.url,
      FACEID_SECRET: one.sandbox.secret,
    };
    two = await startHarness({
      env: { STORE_URL: server.url, LIMIT_PER_PERSON: "3/m", FACEID_BASE_URL, FACEID_SECRET },
    });
  });
  afterAll(async () => {
    await two?.stop();
    await one?.stop();
  });

  test("a double tap that reaches both processes is one launch", async () => {
    one.sandbox.faults.add({ endpoint: "upload", kind: "delay", delayMs: 400 });
    const [a, b] = await Promise.all([one, two].map((each) => each.form("/get_face_params", person)));
    expect(b?.body.result.order_no).toBe(a?.body.result.order_no);
    expect(b?.body.result.sign).toBe(a?.body.result.sign);
    expect(one.wire.of("upload")).toHaveLength(1);
    expect(one.sandbox.breaches).toEqual([]);
  });

  test("a request id and its parameters are known to both processes", async () => {
    const named = { ...person, request_id: "shared-1" };
    const first = await one.form("/get_face_params", named);
    const again = await two.form("/get_face_params", named);
    expect(again.body.result.order_no).toBe(first.body.result.order_no);
    const other = await two.form("/get_face_params", { ...named, name: "李四" });
    expect([other.status, other.body.reason]).toEqual([409, "REQUEST_ID_REUSED"]);
  });

  test("launches of one person are counted across both processes", async () => {
    const third = await two.form("/get_face_params", { ...person, user_id: "u3" });
    const fourth = await one.form("/get_face_params", { ...person, user_id: "u4" });
    expect([third.status, fourth.status, fourth.body.reason]).toEqual([200, 429, "RATE_LIMITED"]);
  });

  test("no personal data and no signature is readable there", async () => {
    const launch = await one.form("/get_face_params", {
      name: "王五",
      id_no: "119999199001010012",
      request_id: "x-9",
    });
    const text = await server.stored();
    expect(text).toContain(":limit:");
    expect(text).toContain(":launch:");
    const { sign, face_id: faceId } = launch.body.result;
    for (const secret of ["王五", "张三", "119999199001010012", person.id_no, "x-9", sign, faceId]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString("base64").replace(/=+$/, ""));
    }
  });

  test("launches continue per process while it is unreachable", async () => {
    await server.kill();
    for (const [i, each] of [one, two].entries()) {
      const answer = await each.form("/get_face_params", {
        ...person,
        id_no: "119999199001010020",
        user_id: `alone${i}`,
        request_id: `alone-${i}`,
      });
      expect([answer.status, answer.body.code]).toEqual([200, "0"]);
    }
    expect(one.logs.some(({ event }) => event === "launch_store_failed")).toBe(true);
  });
});
