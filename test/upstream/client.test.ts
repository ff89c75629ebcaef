import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { UpstreamError } from "../../src/errors.ts";
import { Pii, Secret } from "../../src/lib/redacted.ts";
import { createUpstreamClient, type UpstreamClient } from "../../src/upstream/client.ts";
import { createDispatchers } from "../../src/upstream/connection.ts";
import type { Edition, TokenParam } from "../../src/upstream/editions.ts";
import { unobserved } from "../../src/upstream/observed-exchange.ts";
import { createTransport } from "../../src/upstream/transport.ts";

interface Seen {
  method: string;
  path: string;
  query: Record<string, string>;
  contentType: string | undefined;
  body: Record<string, string> | undefined;
}

let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: Seen[] = [];
let connections = 0;
let clientGone: Promise<void>;
let noticeGone: () => void;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("close", () => {
    if (!response.writableFinished) noticeGone();
  });
  request.on("end", () => {
    const url = new URL(request.url ?? "", "http://x");
    const body = Buffer.concat(chunks).toString();
    seen.push({
      method: request.method ?? "",
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      contentType: request.headers["content-type"],
      body: body === "" ? undefined : (JSON.parse(body) as Record<string, string>),
    });
    answer(request, response);
  });
}).on("connection", () => connections++);
let dispatchers: ReturnType<typeof createDispatchers>;
const signal = new AbortController().signal;
const secret = new Secret("the secret");
const token = new Secret("the token");

const json = (body: unknown) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.setHeader("content-type", "application/json").end(JSON.stringify(body));

beforeEach(async () => {
  seen = [];
  connections = 0;
  clientGone = new Promise((resolve) => {
    noticeGone = resolve;
  });
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Fresh connections for each test: some tests break theirs.
  dispatchers = createDispatchers({ connections: 4, proxy: undefined });
});
afterEach(() => Promise.all([dispatchers.pooled.destroy(), dispatchers.fresh.destroy()]));
afterAll(() => server.close());

function client(
  options: { edition?: Edition; tokenParam?: TokenParam; baseUrl?: string; timeoutMs?: number } = {},
) {
  const { edition = "enhanced", tokenParam = "app_id", timeoutMs = 10_000 } = options;
  const baseUrl = options.baseUrl ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createUpstreamClient({
    appId: "TIDA0001",
    edition,
    tokenParam,
    transport: createTransport({ baseUrl, dispatchers }),
    observe: unobserved,
    tokenTimeoutMs: timeoutMs,
    signTimeoutMs: timeoutMs,
    callTimeoutMs: timeoutMs,
  });
}

const upload = (of: UpstreamClient, photo?: { bytes: Pii<Uint8Array>; type: "1" | "2" }) =>
  of.upload(
    {
      orderNo: "order1",
      name: new Pii("张三"),
      idNo: new Pii("11010519491231002X"),
      userId: "u1",
      nonce: "n",
      sign: "s",
      photo,
    },
    signal,
  );
const query = (of: UpstreamClient, media = false) =>
  of.query({ orderNo: "order1", nonce: "n", sign: "s", media }, signal);

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UpstreamError);
  const { failure, entry } = error as UpstreamError;
  return entry === undefined ? failure : `${failure} ${entry.code}`;
}

describe("what is sent (protocol.md 1 to 4, 6)", () => {
  test.each(["app_id", "appId"] as const)(
    "token and ticket queries name the app once, as %s",
    async (tokenParam) => {
      const upstream = client({ tokenParam });
      answer = json({ code: "0", access_token: "t", expire_in: 7200 });
      await upstream.fetchAccessToken(secret, signal);
      answer = json({ code: "0", tickets: [{ value: "v", expire_in: "3600" }] });
      await upstream.fetchSignTicket(token, signal);
      await upstream.fetchNonceTicket(token, "u1", signal);
      const app = { [tokenParam]: "TIDA0001", version: "1.0.0" };
      expect(seen.map(({ method, path, query: sent }) => [method, path, sent])).toEqual([
        [
          "GET",
          "/api/oauth2/access_token",
          { ...app, secret: "the secret", grant_type: "client_credential" },
        ],
        ["GET", "/api/oauth2/api_ticket", { ...app, access_token: "the token", type: "SIGN" }],
        [
          "GET",
          "/api/oauth2/api_ticket",
          { ...app, access_token: "the token", type: "NONCE", user_id: "u1" },
        ],
      ]);
    },
  );

  test.each([
    ["basic", "/api/server/getfaceid", "webankAppId"],
    ["enhanced", "/api/server/getAdvFaceId", "appId"],
    ["plus", "/api/server/getPlusFaceId", "appId"],
  ] as const)(
    "an upload of the %s edition has its documented path and body",
    async (edition, path, field) => {
      answer = json({ code: "0", result: { orderNo: "order1", faceId: "f", success: false } });
      expect(
        await upload(client({ edition }), { bytes: new Pii(Buffer.from([255, 254, 253])), type: "2" }),
      ).toEqual({ faceId: "f", optimalHost: undefined });
      expect(seen).toEqual([
        {
          method: "POST",
          path,
          query: { orderNo: "order1" },
          contentType: "application/json",
          body: {
            [field]: "TIDA0001",
            orderNo: "order1",
            name: "张三",
            idNo: "11010519491231002X",
            userId: "u1",
            sourcePhotoStr: "//79",
            sourcePhotoType: "2",
            version: "1.0.0",
            sign: "s",
            nonce: "n",
          },
        },
      ]);
    },
  );

  test("a query with and without media has its documented path and body", async () => {
    answer = json({ code: "66660011" });
    await query(client());
    await query(client(), true);
    const body = { appId: "TIDA0001", version: "1.0.0", nonce: "n", orderNo: "order1", sign: "s" };
    expect(seen.map((request) => [request.path, request.query, request.body])).toEqual([
      ["/api/v2/base/queryfacerecord", { orderNo: "order1" }, { ...body, queryVersion: "1.0" }],
      ["/api/v2/base/queryfacerecord", { orderNo: "order1" }, { ...body, getFile: "1" }],
    ]);
  });

  test("the path of a base URL is kept", async () => {
    answer = json({ code: "66660011" });
    await query(client({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/proxy/` }));
    expect(seen[0]?.path).toBe("/proxy/api/v2/base/queryfacerecord");
  });

  test("connections are reused", async () => {
    answer = json({ code: "66660011" });
    const upstream = client();
    for (let i = 0; i < 20; i++) await query(upstream);
    // undici opens a second one when a call follows in the same turn of the loop, and none after that.
    expect(connections).toBeLessThanOrEqual(2);
  });
});

describe("what is read", () => {
  test.each([7200, "7200"])("a lifetime is read from expire_in %j", async (expireIn) => {
    answer = json({
      code: 0,
      access_token: "t",
      expire_in: expireIn,
      expire_time: "19700101000000",
      more: {},
    });
    const { value, lifeMs } = await client().fetchAccessToken(secret, signal);
    expect([value.reveal(), lifeMs]).toEqual(["t", 7_200_000]);
  });

  test("a verdict is read with all its evidence", async () => {
    answer = json({
      code: "0",
      bizSeqNo: "b1",
      result: {
        orderNo: "order1",
        liveRate: "99",
        similarity: "88.01",
        occurredTime: "20220329104717",
        photo: "AQI=",
        video: "AwQ=",
        success: false,
        oriCode: "0",
        sdkVersion: "1.12.12",
        riskInfo: { deviceInfoLevel: "4", deviceInfoTag: "root", riskInfoLevel: null, riskInfoTag: "" },
      },
    });
    const { photo, video, ...result } = await query(client());
    expect([photo?.reveal(), video?.reveal()]).toEqual([Buffer.from([1, 2]), Buffer.from([3, 4])]);
    expect(result).toEqual({
      entry: codeEntry("0"),
      bizSeqNo: "b1",
      liveRate: 99,
      similarity: 88.01,
      occurredAt: Date.parse("2022-03-29T02:47:17Z"),
      oriCode: "0",
      sdkVersion: "1.12.12",
      riskInfo: {
        deviceInfoLevel: "4",
        deviceInfoTag: "root",
        riskInfoLevel: undefined,
        riskInfoTag: undefined,
      },
      unreadable: [],
    });
  });

  describe("an invalid field counts as absent and is named", () => {
    const read = async (fields: object) => {
      answer = json({ code: "0", result: { orderNo: "order1", ...fields } });
      return query(client());
    };

    test.each([
      // A zero date, which no Timestamp can hold, and its neighbours.
      ["00010101000000", undefined],
      ["00000000000000", undefined],
      ["00010101080000", "0001-01-01T00:00:00.000Z"],
      ["99991231235959", "9999-12-31T15:59:59.000Z"],
      // Dates that no calendar has.
      ["20220231104717", undefined],
      ["20230229000000", undefined],
      ["20240229000000", "2024-02-28T16:00:00.000Z"],
      ["20220329240000", undefined],
      ["20221329104717", undefined],
      ["2022-03-29 10:47:17", "2022-03-29T02:47:17.000Z"],
      ["2022-03-29T10:47:17", "2022-03-29T02:47:17.000Z"],
      [20220329104717, "2022-03-29T02:47:17.000Z"],
      ["soon", undefined],
      [{}, undefined],
    ])("occurredTime %j is read as %s", async (occurredTime, expected) => {
      const { occurredAt, unreadable } = await read({ occurredTime });
      expect(occurredAt === undefined ? undefined : new Date(occurredAt).toISOString()).toBe(expected);
      expect(unreadable).toEqual(expected === undefined ? ["occurredTime"] : []);
    });

    test.each([
      ["-1", undefined],
      [-1, undefined],
      ["100.01", undefined],
      ["9".repeat(400), undefined],
      ["Infinity", undefined],
      ["NaN", undefined],
      ["分数为空", undefined],
      ["0", 0],
      [100, 100],
      [" 99.5 ", 99.5],
    ])("liveRate and similarity %j are read as %s", async (value, expected) => {
      const { liveRate, similarity, unreadable } = await read({ liveRate: value, similarity: value });
      expect([liveRate, similarity]).toEqual([expected, expected]);
      expect(unreadable).toEqual(expected === undefined ? ["liveRate", "similarity"] : []);
    });

    test.each([
      ["data:image/jpeg;base64,AQI=", "0102"],
      ["AQI=", "0102"],
      ["A\r\nQI=", "0102"],
      ["https://example.com/photo.jpg", undefined],
      ["null", undefined],
      ["照片", undefined],
      [7, undefined],
      [{}, undefined],
    ])("photo %j is read as %s", async (value, expected) => {
      const { photo, unreadable } = await read({ photo: value });
      expect(photo && Buffer.from(photo.reveal()).toString("hex")).toBe(expected);
      expect(unreadable).toEqual(expected === undefined ? ["photo"] : []);
    });

    test.each([null, "", undefined])(
      "a field that is %j counts as absent and is not named",
      async (value) => {
        const found = await read({ occurredTime: value, liveRate: value, photo: value, riskInfo: value });
        expect(found).toEqual({ entry: codeEntry("0"), unreadable: [] });
      },
    );

    test("an invalid riskInfo and its invalid members count as absent and are named", async () => {
      expect(await read({ riskInfo: "1" })).toMatchObject({ riskInfo: undefined, unreadable: ["riskInfo"] });
      const riskInfo = { deviceInfoLevel: 3, deviceInfoTag: "x".repeat(2_000), riskInfoLevel: [] };
      expect(await read({ riskInfo })).toMatchObject({
        riskInfo: { deviceInfoLevel: "3" },
        unreadable: ["deviceInfoTag", "riskInfoLevel"],
      });
    });
  });

  test("long files are read whole while a concurrent broken response fails only its own call", async () => {
    const [photo, video] = [Buffer.alloc(100_000, "photo"), Buffer.alloc(3_000_001, "video")];
    const result = { orderNo: "order1", photo: photo.toString("base64"), video: video.toString("base64") };
    const whole = JSON.stringify({ code: "0", result });
    answer = (_request, response) =>
      void response.end(seen.length === 1 ? whole : whole.slice(0, whole.length - 3));
    const [first, second] = await Promise.allSettled([query(client(), true), query(client(), true)]);
    const settled = [first, second].map((one) => (one.status === "fulfilled" ? one.value : one.reason));
    const [good] = settled.filter((one) => !(one instanceof Error));
    expect(Buffer.compare(good.photo.reveal(), photo)).toBe(0);
    expect(Buffer.compare(good.video.reveal(), video)).toBe(0);
    expect(settled).toContainEqual(expect.objectContaining({ failure: "malformed" }));
  });

  test("a verdict whose scores are words is read without evidence", async () => {
    answer = json({
      code: 66660004,
      result: { orderNo: "order1", liveRate: "分数为空", occurredTime: "soon" },
    });
    expect(await query(client())).toEqual({
      entry: codeEntry("66660004"),
      unreadable: ["liveRate", "occurredTime"],
    });
  });

  test.each([
    ["another order's result", { code: "0", result: { orderNo: "order2" } }],
    ["another order's failure", { code: "66660004", result: { orderNo: "order2" } }],
    ["a pass that names no order", { code: "0", result: {} }],
    ["no code", { result: { orderNo: "order1" } }],
    ["no object", ["0"]],
    ["null", null],
  ])("a query response with %s is malformed", async (_what, body) => {
    answer = json(body);
    expect(await failureOf(query(client()))).toBe("malformed");
  });

  test.each([
    ["no faceId", { code: "0", result: { orderNo: "order1", success: true } }],
    ["another order's faceId", { code: "0", result: { orderNo: "order2", faceId: "f" } }],
  ])("an upload response with %s is malformed", async (_what, body) => {
    answer = json(body);
    expect(await failureOf(upload(client()))).toBe("malformed");
  });

  test.each([
    { code: "0" },
    { code: "0", tickets: [] },
    { code: "0", tickets: [{ value: "", expire_in: 120 }] },
    { code: "0", tickets: [{ value: "v" }] },
    { code: "0", tickets: [{ value: "v", expire_in: "soon" }] },
    { code: "0", tickets: [{ value: "v", expire_in: "9".repeat(400) }] },
    { code: "0", tickets: "v" },
  ])("the ticket response %j is malformed", async (body) => {
    answer = json(body);
    expect(await failureOf(client().fetchNonceTicket(token, "u1", signal))).toBe("malformed");
  });
});

describe("what goes wrong", () => {
  test("the vendor's code is passed on", async () => {
    answer = json({ code: "400504", msg: "slow down" });
    expect(await failureOf(client().fetchNonceTicket(token, "u1", signal))).toBe("code 400504");
  });

  test.each([
    [429, "throttled"],
    [500, "status"],
    [502, "status"],
    [302, "status"],
  ])("HTTP %d fails as %s, and the call is not retried", async (status, failure) => {
    answer = (_request, response) =>
      void response.writeHead(status, { location: "/elsewhere" }).end("<html>");
    expect(await failureOf(client().fetchAccessToken(secret, signal))).toBe(failure);
    expect(seen).toHaveLength(1);
  });

  test.each([
    [400, '{"code":"66660002","bizSeqNo":"261"}', "status 66660002", "261"],
    [401, '{"code":15}', "status 15", undefined],
    [429, '{"code":"400506"}', "throttled 400506", undefined],
    [400, '{"code":"0"}', "status", undefined],
    [404, '{"code":"no number"}', "status", undefined],
    [500, '{"code":"66660021"}', "status", undefined],
  ])(
    "HTTP %d with the body %s keeps the vendor's code if there is one",
    async (status, body, failure, bizSeqNo) => {
      answer = (_request, response) => void response.writeHead(status).end(body);
      expect(await failureOf(query(client()))).toBe(failure);
      expect(await query(client()).catch((error: unknown) => error)).toMatchObject({ bizSeqNo });
    },
  );

  test("HTML with status 200 is malformed", async () => {
    answer = (_request, response) => void response.end("<html>busy</html>");
    expect(await failureOf(query(client()))).toBe("malformed");
  });

  test("a connection reset before or during the response fails as broken, and the call is not retried", async () => {
    answer = (request) => void request.socket.destroy();
    expect(await failureOf(client().fetchAccessToken(secret, signal))).toBe("broken");
    answer = (request, response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write('{"code":', () => request.socket.destroy());
    };
    expect(await failureOf(client().fetchAccessToken(secret, signal))).toBe("broken");
    expect(await failureOf(query(client()))).toBe("broken");
    expect(seen).toHaveLength(3);
  });

  test("a refused connection fails as not_sent", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    await new Promise((resolve) => other.close(resolve));
    expect(await failureOf(query(client({ baseUrl: `http://127.0.0.1:${port}` })))).toBe("not_sent");
  });

  test("a silent vendor runs into the time limit, and the connection is closed", async () => {
    answer = () => undefined;
    expect(await failureOf(query(client({ timeoutMs: 100 })))).toBe("timeout");
    await clientGone;
  });

  test("a body that never ends runs into the time limit", async () => {
    answer = (_request, response) => void response.writeHead(200).write("{");
    expect(await failureOf(query(client({ timeoutMs: 100 })))).toBe("timeout");
    await clientGone;
  });

  test("a response that is too large is not read to its end", async () => {
    answer = (_request, response) => void response.end(Buffer.alloc(300 * 1024, "x"));
    expect(await failureOf(query(client()))).toBe("too_large");
  });

  test("an aborted call rejects with the caller's reason and closes the connection", async () => {
    const controller = new AbortController();
    const reason = new Error("the caller left");
    answer = () => controller.abort(reason);
    const work = client().query({ orderNo: "order1", nonce: "n", sign: "s" }, controller.signal);
    await expect(work).rejects.toBe(reason);
    await clientGone;
  });

  test("no error reveals a secret, a token or personal data", async () => {
    answer = json({ code: "66660015", msg: "张三 11010519491231002X" });
    const errors = await Promise.all([
      upload(client()).catch((error: unknown) => error),
      client({ baseUrl: "http://127.0.0.1:1" })
        .fetchAccessToken(secret, signal)
        .catch((error: unknown) => error),
    ]);
    const { inspect } = await import("node:util");
    const shown = errors.map((error) => inspect(error, { depth: 10, showHidden: true })).join();
    for (const word of ["张三", "11010519491231002X", "the secret"]) expect(shown).not.toContain(word);
  });
});
