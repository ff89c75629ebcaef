import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createAuthority } from "../support/certificates.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import { startHarness } from "../support/harness.ts";
import { AUDIENCE, ISSUER, startProvider } from "../support/identity-provider.ts";

const { getFaceParams, getResult } = FaceVerificationService.method;
const person = { name: "张三", id_no: "11010519491231002X" };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const service = "s".repeat(20);
const jwt = (url: string) => ({ JWT_JWKS_URL: url, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE });

describe("an invalid credential is 401, whatever else is valid", () => {
  test("a client certificate does not excuse an invalid bearer token, with or without configured tokens", async () => {
    using authority = createAuthority();
    const [server, client] = [authority.issue("server"), authority.issue("billing")];
    const files: Record<string, string> = { cert: server.cert, key: server.key, ca: authority.ca };
    const tls = { TLS_CERT_FILE: "cert", TLS_KEY_FILE: "key", TLS_CLIENT_CA_FILE: "ca" };
    for (const tokens of [{}, { GRPC_AUTH_TOKENS: `billing:${service}` }]) {
      await using harness = await startHarness({
        env: { ...tls, ...tokens },
        readFile: (path) => files[path] ?? "",
      });
      const [ca, key, cert] = [authority.ca, client.key, client.cert].map((pem) => Buffer.from(pem));
      const channel = new GrpcClient(
        harness.service.addresses().grpc ?? "",
        grpc.credentials.createSsl(ca, key, cert),
      );
      const call = (metadata: Record<string, string>) =>
        channel.unary(getResult, { orderNo: "order1" }, { metadata });
      await call({});
      for (const wrong of [bearer("x".repeat(20)), { authorization: "Basic eDp5" }]) {
        await expect(call(wrong)).rejects.toMatchObject({ code: grpc.status.UNAUTHENTICATED });
      }
      channel.close();
    }
  });

  test("a form with a signature and a JWT is the user's, and both must be valid", async () => {
    const provider = await startProvider();
    const key = "k".repeat(32);
    await using harness = await startHarness({
      env: { ...jwt(provider.url), FORM_HMAC_KEYS: `android:${key}` },
    });
    const body = new URLSearchParams(person).toString();
    const t = Math.floor(Date.now() / 1000);
    const signed = (secret: string) => ({
      "x-signature": `t=${t},v1=${createHmac("sha256", secret).update(`${t}./get_face_params.${body}`).digest("hex")}`,
    });
    const user = bearer(await provider.sign({ sub: "user-1" }));
    const launch = await harness.form("/get_face_params", body, { ...signed(key), ...user });
    expect(launch.status).toBe(200);
    const { order_no } = launch.body.result;
    // The order is the user's own, so the app without the user does not read it.
    expect((await harness.form("/get_result", { order_no }, user)).status).toBe(200);
    for (const wrong of [
      { ...signed("x".repeat(32)), ...user },
      { ...signed(key), ...bearer("a.b.c") },
      { ...signed(key), authorization: "Basic eDp5" },
    ]) {
      expect((await harness.form("/get_face_params", body, wrong)).status).toBe(401);
    }
    await provider.stop();
  });

  test.each([[42], [["user-1"]], [{ id: 1 }], [true], [null]])(
    "a JWT whose subject is %j is 401",
    async (sub) => {
      const provider = await startProvider();
      await using harness = await startHarness({ env: jwt(provider.url) });
      const token = await provider.sign({ sub: sub as unknown as string });
      const answer = await harness.form("/get_result", { order_no: "x" }, bearer(token));
      expect([answer.status, answer.body.reason]).toEqual([401, "UNAUTHENTICATED"]);
      await provider.stop();
    },
  );
});

describe("an identity provider in trouble", () => {
  test("garbage tokens take no capacity from service tokens and cause only occasional fetches of the keys", async () => {
    let fetches = 0;
    // Accepts and never answers.
    const hanging = createServer(() => {
      fetches += 1;
    });
    await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}/keys`;
    const provider = await startProvider();
    await using harness = await startHarness({
      env: { ...jwt(url), HTTP_AUTH_TOKENS: `shop:${service}`, LIMIT_IN_FLIGHT: "20" },
    });
    const garbage = await Promise.all(
      Array.from({ length: 20 }, (_, i) => provider.forged({ sub: `u${i}` })),
    );
    const stuck = garbage.map((token) => harness.form("/get_result", { order_no: "x" }, bearer(token)));
    await expect.poll(() => fetches, { timeout: 10_000 }).toBeGreaterThan(0);
    const served = await harness.form("/get_result", { order_no: "x" }, bearer(service));
    expect(served.status).toBe(200);
    const beyond = await harness.form(
      "/get_result",
      { order_no: "x" },
      bearer(await provider.forged({ sub: "u" })),
    );
    expect([beyond.status, beyond.body.reason]).toEqual([503, "AUTHENTICATION_UNAVAILABLE"]);
    for (const { status, body } of await Promise.all(stuck)) {
      expect([status, body.reason]).toEqual([503, "AUTHENTICATION_UNAVAILABLE"]);
    }
    // Those that follow at once do not ask again.
    const before = fetches;
    for (const token of garbage.slice(0, 5))
      await harness.form("/get_result", { order_no: "x" }, bearer(token));
    expect(fetches).toBe(before);
    expect(harness.logs.filter(({ event }) => event === "jwks_failed")).toHaveLength(1);
    const metrics = await (await fetch(`${harness.admin}/metrics`)).text();
    expect(metrics).toMatch(/faceid_jwks_fetches_total\{.*outcome="error".*\} [1-9]/);
    hanging.closeAllConnections();
    await new Promise((resolve) => hanging.close(resolve));
    await provider.stop();
  });
});

describe("photo and video", () => {
  const include = (orderNo: string) => ({ orderNo, includeMedia: true });

  test("photo and video go to internal callers, and to no stranger through any public door", async () => {
    await using harness = await startHarness();
    const launch = await harness.form("/get_face_params", person);
    const orderNo = launch.body.result.order_no;
    await harness.playSdk(launch.body.result, "passed");
    const before = harness.wire.of("query").length;
    const posted = await harness.json("GetResult", include(orderNo));
    expect([posted.status, posted.body.code]).toEqual([403, "permission_denied"]);
    const query = new URLSearchParams({
      connect: "v1",
      encoding: "json",
      message: JSON.stringify(include(orderNo)),
    });
    const got = await fetch(
      `${harness.http}/faceverification.v1.FaceVerificationService/GetResult?${query.toString()}`,
    );
    expect(got.status).toBe(403);
    expect(harness.wire.of("query")).toHaveLength(before);
    const internal = await harness.grpcClient.unary(getResult, include(orderNo));
    expect(internal.media?.photo.length).toBeGreaterThan(0);
  });

  test("photo and video go to end users only for their own orders and if configured, and never to apps", async () => {
    const provider = await startProvider();
    const user = bearer(await provider.sign({ sub: "user-1" }));
    for (const [setting, status] of [
      ["off", 403],
      ["own", 200],
    ] as const) {
      await using harness = await startHarness({
        env: { ...jwt(provider.url), END_USER_MEDIA: setting, HTTP_AUTH_TOKENS: `shop:${service}` },
      });
      const launch = await harness.form("/get_face_params", person, user);
      const orderNo = launch.body.result.order_no;
      await harness.playSdk(launch.body.result, "passed");
      const own = await harness.json("GetResult", include(orderNo), user);
      expect([own.status, own.body.media !== undefined]).toEqual([status, status === 200]);
      const shop = await harness.json("GetResult", include(orderNo), bearer(service));
      expect(shop.body.media?.photo.length).toBeGreaterThan(0);
      const other = bearer(await provider.sign({ sub: "user-2" }));
      expect((await harness.json("GetResult", include(orderNo), other)).status).toBe(404);
    }
    await provider.stop();
  });
});

test("responses that name an order are not cacheable", async () => {
  await using harness = await startHarness();
  const launch = await harness.form("/get_face_params", person);
  const orderNo = launch.body.result.order_no;
  const json = await harness.json("GetFaceParams", {
    name: person.name,
    idNo: person.id_no,
    userId: "other",
  });
  const query = new URLSearchParams({
    connect: "v1",
    encoding: "json",
    message: JSON.stringify({ orderNo }),
  });
  const got = await fetch(
    `${harness.http}/faceverification.v1.FaceVerificationService/GetResult?${query.toString()}`,
  );
  const compressed = await fetch(`${harness.http}/faceverification.v1.FaceVerificationService/GetResult`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-timeout-ms": "5000", "accept-encoding": "gzip" },
    body: JSON.stringify({ orderNo }),
  });
  const result = await harness.form("/get_result", { order_no: orderNo });
  for (const { headers, status } of [launch, json, got, compressed, result]) {
    expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
  }
  const params = await harness.grpcClient.unary(getFaceParams, {
    name: person.name,
    idNo: person.id_no,
    userId: "u",
  });
  expect(params.orderNo).toHaveLength(32);
});
