import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, test } from "vitest";
import { newWebhookSecret } from "../../src/domain/webhook-signature.ts";
import { newOrder, passed } from "../ledger/orders.ts";
import { eventually, startHarness } from "../support/harness.ts";
import { BEARER, startSubscribed } from "../support/subscribed.ts";

const BUF = join(import.meta.dirname, "../../node_modules/.bin/buf");
const SERVICE = "faceverification.v1.DeliveryAdminService";
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A receiver on this machine, which verifies with the published library and answers as told. */
async function startReceiver(secret: string, answers: Record<string, number> = {}) {
  const received: { id: string; event: unknown; headers: NodeJS.Dict<string | string[]> }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const id = String(request.headers["webhook-id"]);
      const event = new Webhook(secret).verify(body, request.headers as Record<string, string>);
      received.push({ id, event, headers: request.headers });
      response.writeHead(answers[id] ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received, answers };
}

/** `buf curl` as an operator types it, with no schema at hand. */
async function bufCurl(admin: string, method: string, message: object): Promise<Record<string, unknown>> {
  const header = `authorization: ${BEARER.authorization}`;
  const args = [
    "curl",
    "--schema",
    `${admin}/descriptors.binpb`,
    "-H",
    header,
    "-d",
    JSON.stringify(message),
  ];
  const { stdout } = await promisify(execFile)(BUF, [...args, `${admin}/${SERVICE}/${method}`]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function startWithReceiver() {
  const secret = newWebhookSecret();
  const receiver = await startReceiver(secret);
  const service = await startSubscribed({
    env: { WEBHOOK_ENDPOINTS: `shop=${receiver.url}`, WEBHOOK_SECRETS: `shop:${secret}` },
  });
  stops.unshift(() => service.stop());
  return { service, receiver };
}

test("webhooks reach a real receiver, and operators see and repeat them by buf curl", async () => {
  const { service, receiver } = await startWithReceiver();
  receiver.answers["evt_order2"] = 400;
  const ids = await service.end(3);
  await eventually(() => receiver.received.length >= 3);
  expect(receiver.received.map(({ id }) => id)).toEqual(ids);
  expect(receiver.received[0]?.event).toMatchObject({
    type: "order.completed",
    data: {
      order_no: "order1",
      app_id: service.config.appId,
      verdict: "VERDICT_PASSED",
      livemode: true,
      sequence: 1,
    },
  });
  expect(receiver.received[0]?.headers).toMatchObject({ "content-type": "application/json" });

  const delivered = async () =>
    (await bufCurl(service.admin, "ListDeliveries", { state: "DELIVERY_STATE_DELIVERED" }))["deliveries"];
  await eventually(async () => ((await delivered()) as unknown[] | undefined)?.length === 2);
  const first = await bufCurl(service.admin, "ListDeliveries", { pageSize: 2 });
  expect(first["deliveries"]).toMatchObject([
    {
      eventId: "evt_order3",
      orderNo: "order3",
      type: "order.completed",
      endpoint: "shop",
      lastResult: "204",
      attempts: 1,
    },
    {
      eventId: "evt_order2",
      state: "DELIVERY_STATE_WAITING",
      lastResult: "400",
      nextTryTime: expect.any(String),
    },
  ]);
  expect(first["endpoints"]).toEqual([{ name: "shop", waiting: 1 }]);
  const second = await bufCurl(service.admin, "ListDeliveries", {
    pageSize: 2,
    pageToken: first["nextPageToken"],
  });
  expect(second["deliveries"]).toMatchObject([{ eventId: "evt_order1" }]);
  expect(second["nextPageToken"]).toBeUndefined();

  expect(await bufCurl(service.admin, "Redeliver", { orderNo: "order1" })).toEqual({ deliveries: 1 });
  expect(await bufCurl(service.admin, "Redeliver", { eventId: "evt_order3", endpoint: "shop" })).toEqual({
    deliveries: 1,
  });
  await eventually(() => receiver.received.length >= 5);
  expect(new Set(receiver.received.slice(3).map(({ id }) => id))).toEqual(
    new Set(["evt_order1", "evt_order3"]),
  );
  await eventually(async () => {
    const { deliveries } = await bufCurl(service.admin, "ListDeliveries", { orderNo: "order1" });
    return (deliveries as { replay?: boolean; state: string }[])[0]?.state === "DELIVERY_STATE_DELIVERED";
  });

  // One that ended before the endpoint was configured.
  const { ledger } = service;
  const now = Date.now();
  await ledger.put([newOrder("older", { createdAt: now })]);
  await ledger.end("older", passed(now), { endpoints: [] });
  const recovered = await bufCurl(service.admin, "Recover", {
    endpoint: "shop",
    since: "2020-01-01T00:00:00Z",
  });
  expect(recovered).toEqual({ deliveries: 1 });
  await eventually(() => receiver.received.some(({ id }) => id === "evt_older"));
});

test("mistakes of operators are named", async () => {
  const { service } = await startWithReceiver();
  await service.end();
  await service.ledger.put([newOrder("open", { dueAt: Date.now() + 3_600_000 })]);
  const failure = async (method: string, message: object) => {
    const response = await fetch(`${service.admin}/${SERVICE}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...BEARER },
      body: JSON.stringify(message),
    });
    const { code, message: text } = (await response.json()) as Record<string, string>;
    return `${code}: ${text}`;
  };
  expect(await failure("Redeliver", { orderNo: "nosuch" })).toBe("not_found: there is no such order");
  expect(await failure("Redeliver", { orderNo: "open" })).toBe("not_found: there is no such order");
  expect(await failure("Redeliver", { orderNo: "order1", endpoint: "x" })).toContain(
    "must be a name in WEBHOOK_ENDPOINTS",
  );
  expect(await failure("Redeliver", {})).toContain("invalid_argument");
  expect(await failure("Redeliver", { eventId: "order1" })).toContain("invalid_argument");
  expect(await failure("Recover", { endpoint: "x", since: "2020-01-01T00:00:00Z" })).toContain(
    "must be a name in WEBHOOK_ENDPOINTS",
  );
  expect(await failure("Recover", { endpoint: "shop" })).toContain("invalid_argument");
  expect(await failure("ListDeliveries", { pageToken: "x" })).toContain("must be a next_page_token");
  expect(await failure("ListDeliveries", { pageSize: -1 })).toContain("invalid_argument");
});

test("without a ledger there are no deliveries, and other listeners do not serve them", async () => {
  await using harness = await startHarness();
  const post = async (base: string) => {
    const response = await fetch(`${base}/${SERVICE}/ListDeliveries`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    return response.status;
  };
  expect(await post(harness.admin)).toBe(501);
  expect(await post(harness.http)).toBe(404);
});

test("buf curl watches results without a schema", async () => {
  const { service } = await startWithReceiver();
  const args = [
    "curl",
    "--http2-prior-knowledge",
    "--protocol",
    "grpc",
    "-H",
    `authorization: ${BEARER.authorization}`,
  ];
  const url = `${service.grpc}/faceverification.v1.FaceVerificationService/WatchResults`;
  const curl = execFile(BUF, [...args, "-d", "{}", url]);
  let out = "";
  curl.stdout?.on("data", (text: string) => {
    out += text;
  });
  await eventually(() => out.includes("resumeToken"));
  const [id = ""] = await service.end();
  await eventually(() => out.includes(id));
  curl.kill();
});
