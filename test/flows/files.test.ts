import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type ConfigError, readConfig } from "../../src/config/config.ts";
import { reloadOnChange } from "../../src/config/reload.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { createService, type Service } from "../../src/service.ts";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import { eventually } from "../support/harness.ts";

const { getResult } = FaceVerificationService.method;

let authority: Authority;
let directory: string;
let sandbox: Sandbox;
let service: Service;
const logs: Record<string, unknown>[] = [];
const reloading = new AbortController();
/** Sleeps no longer than an instant, so that files are looked at again and again. */
const impatient = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 20)),
};

beforeAll(async () => {
  authority = createAuthority();
  directory = mkdtempSync(join(tmpdir(), "tls-"));
  sandbox = createSandbox();
  await sandbox.start();
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const { cert, key } = authority.issue("first");
  const env = {
    FACEID_APP_ID: sandbox.appId,
    FACEID_SECRET_FILE: file("secret", sandbox.secret),
    FACEID_BASE_URL: sandbox.url,
    STORE_URL: "memory:",
    HTTP_ADDR: "127.0.0.1:0",
    GRPC_ADDR: "127.0.0.1:0",
    ADMIN_ADDR: "127.0.0.1:0",
    TLS_CERT_FILE: file("cert.pem", cert),
    TLS_KEY_FILE: file("key.pem", key),
    TLS_CLIENT_CA_FILE: file("ca.pem", authority.ca),
    HTTP_AUTH_TOKENS_FILE: file("tokens", `shop:${"a".repeat(16)}`),
  };
  const read = (readFile: (path: string) => string) => readConfig(env, readFile);
  const readFile = (path: string) => readFileSync(path, "utf8");
  const started = read(readFile);
  service = createService(started, {
    logSink: { write: (line) => void logs.push(JSON.parse(line) as Record<string, unknown>) },
  });
  await service.start();
  await eventually(() => service.readiness().ready);
  void reloadOnChange({
    started,
    read,
    readFile,
    apply: (config) => service.reload(config),
    clock: impatient,
    signal: reloading.signal,
    events: {
      configReloaded: () => void logs.push({ event: "config_reloaded" }),
      configRejected: ({ error }) =>
        void logs.push({ event: "config_rejected", problems: (error as ConfigError).problems }),
      configWaits: ({ settings }) => void logs.push({ event: "config_waits", settings }),
    },
  });
});
afterAll(async () => {
  reloading.abort();
  await service.stop();
  await sandbox.stop();
  authority[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The common name of the certificate that the public listener shows. */
function shown(options: tls.ConnectionOptions = {}): Promise<string> {
  const [host = "", port] = (service.addresses().http ?? "").split(":");
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), ca: authority.ca, ...options }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

const clientWith = (certificate?: { cert: string; key: string }) =>
  new GrpcClient(
    service.addresses().grpc ?? "",
    grpc.credentials.createSsl(
      Buffer.from(authority.ca),
      certificate && Buffer.from(certificate.key),
      certificate && Buffer.from(certificate.cert),
    ),
  );

describe("the internal listener", () => {
  test.each([
    ["its common name", "billing", [], "billing"],
    ["its first DNS name", "x", ["DNS:billing.internal"], "billing.internal"],
    ["its SPIFFE id", "x", ["URI:spiffe://cluster/billing"], "spiffe://cluster/billing"],
    ["nothing that may stand in a log", "名字", [], "certificate"],
  ])(
    "the internal listener names a caller with a client certificate by %s",
    async (_what, cn, san, caller) => {
      const client = clientWith(authority.issue(cn, ...san));
      await client.unary(getResult, { orderNo: "order1" });
      expect(logs.findLast(({ event }) => event === "call_finished")).toMatchObject({ caller, door: "grpc" });
      client.close();
    },
  );

  test("the internal listener rejects clients without a certificate or with another authority's", async () => {
    using stranger = createAuthority();
    for (const certificate of [undefined, stranger.issue("billing")]) {
      const client = clientWith(certificate);
      const call = client.unary(getResult, { orderNo: "order1" }, { timeoutMs: 10_000 });
      await expect(call).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
      client.close();
    }
    const refused = () => logs.filter(({ event }) => event === "tls_refused");
    const port = Number(service.addresses().grpc?.split(":")[1]);
    expect(refused()[0]).toMatchObject({
      level: "warn",
      why: "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
      port,
      peer: "127.0.0.1",
    });
    // At most one line a second, so until it is the turn of one with another authority's.
    const unknown = () => refused().find(({ why }) => String(why).startsWith("UNABLE_TO_"));
    await eventually(async () => {
      const client = clientWith(stranger.issue("billing"));
      await client.unary(getResult, { orderNo: "order1" }, { timeoutMs: 10_000 }).catch(() => undefined);
      client.close();
      return unknown() !== undefined;
    });
    expect(unknown()).toMatchObject({ port, peer: "127.0.0.1", others: expect.any(Number) });
  });

  test("the internal listener logs nothing about clients that connect and disconnect", async () => {
    const before = logs.filter(({ event }) => event === "tls_refused").length;
    const [host = "", port] = (service.addresses().grpc ?? "").split(":");
    const socket = connect({ host, port: Number(port) });
    await once(socket, "connect");
    socket.destroy();
    const client = clientWith(authority.issue("billing"));
    await client.unary(getResult, { orderNo: "order1" });
    client.close();
    expect(logs.filter(({ event }) => event === "tls_refused")).toHaveLength(before);
  });

  test("the internal listener ignores caller names in headers", async () => {
    const client = clientWith(authority.issue("billing"));
    await client.unary(getResult, { orderNo: "order1" }, { metadata: { "x-peer-certificate": "admin" } });
    expect(logs.findLast(({ event }) => event === "call_finished")).toMatchObject({ caller: "billing" });
    client.close();
  });
});

test("each certificate is logged when it is loaded, as a warning if it expires soon", () => {
  const loaded = logs.filter(({ event }) => event === "certificate_loaded");
  expect(loaded.map(({ level, file, days_left }) => [level, file, days_left])).toEqual([
    ["warn", "TLS_CERT_FILE", 1],
    ["warn", "TLS_CLIENT_CA_FILE", 1],
  ]);
});

describe("the public listener", () => {
  test("probes by httpGet need no token, and trust no authority with scheme: HTTPS; the admin listener has no TLS", async () => {
    const { http: served, admin } = service.addresses();
    const kubelet = new Agent({ connect: { rejectUnauthorized: false } });
    for (const origin of [`https://${served}`, `http://${admin}`]) {
      for (const path of ["/livez", "/readyz"]) {
        const { statusCode, body } = await request(`${origin}${path}`, { dispatcher: kubelet });
        expect([statusCode, await body.json()]).toMatchObject([200, { status: "ok" }]);
      }
    }
    await kubelet.close();
  });

  test("the public listener accepts TLS 1.2 and later only", async () => {
    expect(await shown({ maxVersion: "TLSv1.2" })).toBe("first");
    await expect(shown({ minVersion: "TLSv1", maxVersion: "TLSv1.1" })).rejects.toThrow();
  });

  test("the public listener adopts a renewed certificate without a restart, unless it is unusable", async () => {
    const { cert, key } = authority.issue("second");
    writeFileSync(join(directory, "cert.pem"), cert);
    await eventually(() => logs.some(({ event }) => event === "config_rejected"));
    expect(logs.find(({ event }) => event === "config_rejected")?.["problems"]).toEqual([
      "TLS_KEY_FILE: is not the key of the first certificate in TLS_CERT_FILE",
    ]);
    expect(await shown()).toBe("first");
    writeFileSync(join(directory, "key.pem"), key);
    await eventually(async () => (await shown()) === "second");
  });

  test("the public listener adopts new tokens and drops removed ones", async () => {
    const { http = "" } = service.addresses();
    const status = (token: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = https.request(
          `https://${http}/faceverification.v1.FaceVerificationService/GetResult`,
          {
            method: "POST",
            ca: authority.ca,
            agent: false,
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          },
        );
        request.once("response", (response) => {
          resolve(response.statusCode);
          response.resume();
        });
        request.once("error", reject);
        request.end('{"orderNo":"order1"}');
      });
    expect([await status("a".repeat(16)), await status("b".repeat(16))]).toEqual([200, 401]);
    writeFileSync(join(directory, "tokens"), `shop:${"b".repeat(16)}`);
    await eventually(async () => (await status("b".repeat(16))) === 200);
    expect(await status("a".repeat(16))).toBe(401);
  });
});

test("a secret changed at the vendor and in its file is adopted without a restart", async () => {
  const tokens = sandbox.stats.tokenGeneration;
  const next = "n".repeat(64);
  sandbox.changeSecret(next);
  writeFileSync(join(directory, "secret"), next);
  const client = clientWith(authority.issue("billing"));
  await eventually(async () => {
    const answer = await client.unary(getResult, { orderNo: "order1" }).catch(() => undefined);
    return answer?.code === "66660011";
  });
  expect(sandbox.stats.tokenGeneration).toBe(tokens + 1);
  client.close();
});
