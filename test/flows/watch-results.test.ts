import { request } from "node:http";
import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FaceVerificationService,
  WatchResultsRequestSchema,
  type WatchResultsResponse,
  WatchResultsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { createRandom } from "../simulation/world.ts";
import { eventually, startHarness } from "../support/harness.ts";
import { BEARER, type Subscribed, startSubscribed, TOKEN } from "../support/subscribed.ts";

let service: Subscribed;
beforeAll(async () => {
  service = await startSubscribed();
});
afterAll(() => service.stop());

type Watcher = Client<typeof FaceVerificationService>;
const clientOf = (transport: Transport): Watcher => createClient(FaceVerificationService, transport);

const TRANSPORTS: Record<string, () => Transport> = {
  "Connect with JSON on the public listener": () =>
    createConnectTransport({ baseUrl: service.http, httpVersion: "1.1", useBinaryFormat: false }),
  "Connect with binary messages on the internal listener": () =>
    createConnectTransport({ baseUrl: service.grpc, httpVersion: "2", useBinaryFormat: true }),
  "gRPC-Web on the public listener": () =>
    createGrpcWebTransport({ baseUrl: service.http, httpVersion: "1.1" }),
  "gRPC on the internal listener": () => createGrpcTransport({ baseUrl: service.grpc }),
};

/** Ends that the access log tells of WatchResults. */
const ended = ({ logs }: Pick<Subscribed, "logs">) =>
  logs.filter(({ event, method }) => event === "call_finished" && method === "WatchResults");

const watchers = async ({ admin }: Pick<Subscribed, "admin">) =>
  Number(/^faceid_watchers\{.*\} (\d+)$/m.exec(await (await fetch(`${admin}/metrics`)).text())?.[1]);

/** Messages of one stream of grpc-js, and its status at the end. */
function stockClient(address: string) {
  const client = new grpc.Client(address.replace("http://", ""), grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set("authorization", BEARER.authorization);
  const watch = (resumeToken: string) =>
    client.makeServerStreamRequest(
      "/faceverification.v1.FaceVerificationService/WatchResults",
      (message: Uint8Array) => Buffer.from(message),
      (bytes) => fromBinary(WatchResultsResponseSchema, bytes),
      toBinary(WatchResultsRequestSchema, create(WatchResultsRequestSchema, { resumeToken })),
      metadata,
    );
  return { watch, close: () => client.close() };
}

describe.each(Object.keys(TRANSPORTS))("%s", (name) => {
  test("streams events as they come, until the caller leaves", async () => {
    const client = clientOf((TRANSPORTS[name] as () => Transport)());
    const leave = new AbortController();
    const before = ended(service).length;
    const got: string[] = [];
    let ids: string[] = [];
    const watching = (async () => {
      for await (const message of client.watchResults({}, { headers: BEARER, signal: leave.signal })) {
        if (message.eventId === "") ids = await service.end(3);
        else got.push(message.eventId);
        if (got.length === 3) leave.abort();
      }
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
    expect(got).toEqual(ids);
    await eventually(() => ended(service).length === before + 1);
    expect(ended(service).at(-1)).toMatchObject({ outcome: "CANCELLED", caller: "ops" });
    await eventually(async () => (await watchers(service)) === 0);
  });

  test("tells strangers, wrong tokens and deadlines apart", async () => {
    const client = clientOf((TRANSPORTS[name] as () => Transport)());
    const failure = async (message: object, options: object): Promise<[Code, string | undefined]> => {
      try {
        for await (const _ of client.watchResults(message, options)) continue;
      } catch (error) {
        const connectError = ConnectError.from(error);
        return [connectError.code, connectError.findDetails(ErrorInfoSchema)[0]?.reason];
      }
      throw new Error("it ended well");
    };
    expect(await failure({}, {})).toEqual([Code.Unauthenticated, "UNAUTHENTICATED"]);
    const headers = BEARER;
    expect(await failure({ resumeToken: "x" }, { headers })).toEqual([
      Code.InvalidArgument,
      "INVALID_REQUEST",
    ]);
    expect(await failure({ resumeToken: "x".repeat(129) }, { headers })).toEqual([
      Code.InvalidArgument,
      "INVALID_REQUEST",
    ]);
    expect((await failure({}, { headers, timeoutMs: 300 }))[0]).toBe(Code.DeadlineExceeded);
    // A client on HTTP/1.1 hangs up at its deadline, which may be seen first.
    await eventually(() =>
      /^(DEADLINE_EXCEEDED|CANCELLED)$/.test(String(ended(service).at(-1)?.["outcome"])),
    );
  });
});

test("gRPC-Web in Base64 streams message by message", async () => {
  const response = await fetch(`${service.http}/faceverification.v1.FaceVerificationService/WatchResults`, {
    method: "POST",
    headers: { ...BEARER, "content-type": "application/grpc-web-text", "x-grpc-web": "1" },
    body: Buffer.alloc(5).toString("base64"),
  });
  const reader = response.body?.getReader();
  const read = async () => {
    const bytes = Buffer.from(Buffer.from((await reader?.read())?.value ?? "").toString(), "base64");
    return fromBinary(WatchResultsResponseSchema, bytes.subarray(5));
  };
  expect((await read()).eventId).toBe("");
  const [id = ""] = await service.end();
  expect((await read()).eventId).toBe(id);
  await reader?.cancel();
});

test("cut 100 times at random and resumed: no gap, and no repeat once equal ids are removed", async () => {
  const random = createRandom(16);
  const stock = stockClient(service.grpc);
  const clients = Object.values(TRANSPORTS).map((open) => clientOf(open()));
  const first = await watchUntil(() => true);
  const sent: string[] = [];

  /** One stream of any client, until the message for which `isLast` says so; its messages. */
  async function watchUntil(
    isLast: (count: number, message: WatchResultsResponse) => boolean,
    resumeToken = "",
  ): Promise<WatchResultsResponse[]> {
    const messages: WatchResultsResponse[] = [];
    if (random() < 0.5) {
      const stream = stock.watch(resumeToken);
      for await (const message of stream) {
        messages.push(message as WatchResultsResponse);
        if (isLast(messages.length, message as WatchResultsResponse)) break;
      }
      return messages;
    }
    const leave = new AbortController();
    const client = clients[Math.floor(random() * clients.length)] as Watcher;
    try {
      for await (const message of client.watchResults(
        { resumeToken },
        { headers: BEARER, signal: leave.signal },
      )) {
        messages.push(message);
        if (isLast(messages.length, message)) break;
      }
    } finally {
      leave.abort();
    }
    return messages;
  }

  const got: string[] = [];
  let token = first.at(-1)?.resumeToken ?? "";
  for (let cut = 0; cut < 100; cut++) {
    const wanted = Math.floor(random() * 20) + 1;
    const producing = service.end(wanted);
    const messages = await watchUntil((count) => count === wanted, token);
    got.push(...messages.map(({ eventId }) => eventId).filter((id) => id !== ""));
    // The token of a message that was not the last: what came after it comes again.
    token = messages[Math.floor(random() * messages.length)]?.resumeToken ?? token;
    sent.push(...(await producing));
  }
  await watchUntil((_count, { eventId }) => {
    got.push(eventId);
    return eventId === sent.at(-1);
  }, token);
  expect(got.length).toBeGreaterThan(sent.length);
  expect([...new Set(got)].filter((id) => id !== "")).toEqual(sent);
  stock.close();
});

test("a reader that does not read holds up no other, and its call ends when it leaves", async () => {
  const { port } = new URL(service.http);
  await service.end(2_000);
  const body = Buffer.from(JSON.stringify({ since: "2020-01-01T00:00:00Z" }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  const stalled = request({
    port,
    method: "POST",
    path: "/faceverification.v1.FaceVerificationService/WatchResults",
    headers: { ...BEARER, "content-type": "application/connect+json", "connect-protocol-version": "1" },
  });
  stalled.on("error", () => undefined);
  const responded = new Promise<unknown>((resolve) => {
    stalled.on("response", (response) => {
      response.on("error", () => undefined).pause();
      resolve(response.headers["x-request-id"]);
    });
  });
  stalled.end(Buffer.concat([prefix, body]));
  const requestId = await responded;
  // Another client is not held up by it.
  const client = clientOf((TRANSPORTS["gRPC on the internal listener"] as () => Transport)());
  const leave = new AbortController();
  const start = { since: { seconds: 0n, nanos: 0 } };
  let count = 0;
  for await (const message of client.watchResults(start, { headers: BEARER, signal: leave.signal })) {
    if (message.eventId === "") break;
    count += 1;
  }
  leave.abort();
  expect(count).toBeGreaterThanOrEqual(2_000);
  const isOver = () => ended(service).some((line) => line["request_id"] === requestId);
  expect(isOver()).toBe(false);
  stalled.destroy();
  await eventually(isOver);
});

test("streams have their own places, beside the calls'", async () => {
  await using small = await startSubscribed({ env: { LIMIT_IN_FLIGHT: "1" } });
  const session = connect(small.grpc);
  const headers = {
    ...BEARER,
    ":method": "POST",
    ":path": "/faceverification.v1.FaceVerificationService/WatchResults",
    "content-type": "application/grpc",
  };
  const open = () =>
    new Promise<string>((resolve) => {
      const stream = session.request(headers);
      stream.on("response", (answer) => resolve(String(answer["grpc-status"] ?? "open")));
      stream.on("error", () => undefined);
      stream.end(Buffer.alloc(5));
    });
  const streams = await Promise.all(Array.from({ length: 100 }, open));
  expect(streams.filter((status) => status !== "open")).toEqual([]);
  expect(await watchers(small)).toBe(100);
  await open();
  await eventually(() => ended(small).at(-1)?.["outcome"] === "OVERLOADED");
  const list = await small.json("ListOrders", {}, BEARER);
  expect(list.status).toBe(200);
  session.destroy();
  await eventually(async () => (await watchers(small)) === 0);
});

test("a drain ends streams with STOPPING, and the token goes on at another process", async () => {
  const stopping = await startSubscribed();
  const client = clientOf(createGrpcTransport({ baseUrl: stopping.grpc }));
  const watching = (async () => {
    for await (const { resumeToken } of client.watchResults({}, { headers: BEARER })) {
      if (resumeToken !== "") void stopping.stop();
    }
  })();
  const error = await watching.catch((thrown: unknown) => ConnectError.from(thrown));
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect((error as ConnectError).findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "STOPPING" }]);
});

test("without a ledger there is nothing to watch, and end users may not", async () => {
  await using plain = await startHarness({ env: { GRPC_AUTH_TOKENS: `ops:${TOKEN}` } });
  const reasonAt = async (baseUrl: string, headers: Record<string, string>) => {
    const client = clientOf(
      createConnectTransport({ baseUrl, httpVersion: baseUrl === plain.grpc ? "2" : "1.1" }),
    );
    try {
      for await (const _ of client.watchResults({}, { headers })) continue;
      return "OK";
    } catch (error) {
      return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
    }
  };
  expect(await reasonAt(plain.grpc, BEARER)).toBe("NO_LEDGER");
  expect(await reasonAt(plain.http, {})).toBe("PERMISSION_DENIED");
});
