import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { endChildren, launchChild, startChild, startUpstream } from "../support/child.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import { eventually } from "../support/harness.ts";

const TOKEN = "0123456789abcdef";
let sandbox: Sandbox;
let env: Record<string, string>;
beforeEach(async () => {
  ({ sandbox, env } = await startUpstream());
  env = { ...env, HTTP_AUTH_TOKENS: `test:${TOKEN}` };
});
afterEach(async () => {
  await endChildren();
  await sandbox.stop();
});

/** Posts a form, on a connection of the agent's. */
function post(url: string, form: string, agent: http.Agent | false = false) {
  return new Promise<{ status: number; connection: string | undefined; body: string }>((resolve, reject) => {
    const headers = { "content-type": "application/x-www-form-urlencoded", authorization: `Bearer ${TOKEN}` };
    http
      .request(url, { method: "POST", headers, agent }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, body }),
        );
      })
      .on("error", reject)
      .end(form);
  });
}

const events = (out: string[]) => out.map((line) => (JSON.parse(line) as { event: string }).event);
const ORDER = "order_no=order1";

describe("SIGTERM", () => {
  test("SIGTERM makes the process unready at once, lets every call finish, and exits with 0", async () => {
    const child = await startChild({ env: { ...env, SHUTDOWN_DELAY: "1500ms" } });
    const agent = new http.Agent({ keepAlive: true });
    const client = new GrpcClient(child.grpc, grpc.credentials.createInsecure());
    const session = http2.connect(`http://${child.grpc}`);
    let wentAway = false;
    session.on("goaway", () => {
      wentAway = true;
    });
    expect((await post(`${child.http}/get_result`, ORDER, agent)).connection).not.toBe("close");

    sandbox.faults.add({ endpoint: "query", kind: "slow_reply", delayMs: 2_500, times: 2 });
    const query = FaceVerificationService.method.getResult;
    const under = [
      post(`${child.http}/get_result`, ORDER),
      client.unary(query, { orderNo: "order2" }),
    ] as const;
    await eventually(() => sandbox.stats.calls.query >= 2);
    child.signal("SIGTERM");
    await eventually(async () => (await fetch(`${child.admin}/readyz`)).status === 503);
    expect((await fetch(`${child.admin}/livez`)).status).toBe(200);
    // New calls are still answered, and their connections not kept.
    expect((await post(`${child.http}/get_result`, ORDER, agent)).connection).toBe("close");

    expect((await under[0]).status).toBe(200);
    await expect(under[1]).resolves.toMatchObject({ code: "66660011" });
    expect(await child.exited).toBe(0);
    expect(wentAway).toBe(true);
    expect(events(child.out).at(-1)).toBe("call_finished");
    expect(child.err()).toBe("");
    client.close();
    session.destroy();
    agent.destroy();
  });

  test("SIGTERM lets a running refresh finish, and the next process adopts its pair", async () => {
    const directory = mkdtempSync(join(tmpdir(), "life-"));
    try {
      const shared = { ...env, STORE_URL: `file:${directory}`, SHUTDOWN_DELAY: "1ms" };
      sandbox.faults.add({ endpoint: "sign_ticket", kind: "slow_reply", delayMs: 2_000 });
      const first = await startChild({ env: shared, ready: false });
      await eventually(() => sandbox.stats.calls.access_token === 1);
      first.signal("SIGTERM");
      expect(await first.exited).toBe(0);
      expect(events(first.out)).toContain("refresh_finished");

      const second = await startChild({ env: shared });
      expect(sandbox.stats.calls.access_token).toBe(1);
      second.signal("SIGTERM");
      expect(await second.exited).toBe(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("a second SIGTERM ends the process at once", async () => {
    const child = await startChild({ env: { ...env, SHUTDOWN_GRACE: "60s" } });
    sandbox.faults.add({ endpoint: "query", kind: "slow_reply", delayMs: 6_000 });
    const cut = post(`${child.http}/get_result`, ORDER).catch((error: Error) => error);
    await eventually(() => sandbox.stats.calls.query === 1);
    child.signal("SIGTERM");
    await eventually(() => events(child.out).includes("service_stopping"));
    // Sooner it would be taken for the same signal, which npm hands on.
    await new Promise((resolve) => setTimeout(resolve, 700));
    child.signal("SIGTERM");
    expect(await child.exited).toBe(1);
    expect(await cut).toBeInstanceOf(Error);
  });

  test("a call that takes longer than SHUTDOWN_GRACE is cut off", async () => {
    const child = await startChild({
      env: { ...env, SHUTDOWN_GRACE: "1500ms", SHUTDOWN_DELAY: "1ms" },
    });
    sandbox.faults.add({ endpoint: "query", kind: "slow_reply", delayMs: 7_000 });
    const cut = post(`${child.http}/get_result`, ORDER).catch((error: Error) => error);
    await eventually(() => sandbox.stats.calls.query === 1);
    child.signal("SIGTERM");
    expect([0, 1]).toContain(await child.exited);
    expect(await cut).toBeInstanceOf(Error);
  });
});

describe("a crash", () => {
  const MARK = "张三 11010519491231002X";

  test.each([
    ["an uncaught exception", "SIGUSR2"],
    ["an unhandled rejection", "SIGWINCH"],
  ] as const)(
    "a crash by %s keeps every log line, adds one about it, exits with 1, and writes nothing to standard error",
    async (_what, signal) => {
      const child = await startChild({ env, sabotage: MARK });
      const calls = 50;
      await Promise.all(Array.from({ length: calls }, () => post(`${child.http}/get_result`, ORDER)));
      child.signal(signal);
      expect(await child.exited).toBe(1);
      const lines = events(child.out);
      expect(lines.filter((event) => event === "call_finished")).toHaveLength(calls);
      expect(lines.filter((event) => event === "service_failed")).toHaveLength(1);
      expect(child.err()).toBe("");
      expect(child.out.join("\n")).not.toMatch(/张三|11010519491231002X|\\u5f20/);
    },
  );

  test("a port in use is logged with its address and variable, and exits with 1", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const child = launchChild({ env: { ...env, GRPC_ADDR: `127.0.0.1:${port}` } });
    expect(await child.exited).toBe(1);
    await new Promise((resolve) => server.close(resolve));
    expect(child.out.filter((line) => line.includes('"service_failed"'))).toHaveLength(1);
    const address = `127.0.0.1:${port}`;
    expect(child.out.join()).toContain(`GRPC_ADDR: ${address} is in use by another program`);
    expect(child.out.join()).toContain("EADDRINUSE");
    expect(child.err()).toBe("");
  });

  test("an invalid environment prints every problem to standard error and exits with 2", async () => {
    const child = launchChild({ env: { SHUTDOWN_DELAY: "20s", ROLE: "king" } });
    expect(await child.exited).toBe(2);
    for (const name of ["FACEID_APP_ID", "FACEID_SECRET", "ROLE", "SHUTDOWN_DELAY"])
      expect(child.err()).toContain(name);
    expect(child.out).toEqual([]);
  });
});

test("a stop right after a burst of calls loses no log line", async () => {
  const child = await startChild({ env: { ...env, SHUTDOWN_DELAY: "1ms" } });
  const calls = 300;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
  await Promise.all(Array.from({ length: calls }, () => post(`${child.http}/get_result`, ORDER, agent)));
  child.signal("SIGTERM");
  expect(await child.exited).toBe(0);
  agent.destroy();
  expect(events(child.out).filter((event) => event === "call_finished")).toHaveLength(calls);
});
