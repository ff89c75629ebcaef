import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { type Balancer, startBalancer } from "../support/balancer.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { GrpcClient } from "../support/grpc-client.ts";

const CALLS = 20_000;
const TOKEN = "0123456789abcdef";
/** Callers at a time, by each door. */
const FORMS = 12;
const CHANNELS = 6;

/** What became of the calls. */
interface Tally {
  done: number;
  failures: string[];
}

/** Calls one after the other until told to end. A call that fails is not repeated. */
async function keepCalling(tally: Tally, enough: () => boolean, call: () => Promise<string>): Promise<void> {
  while (!enough()) {
    const outcome = await call().catch((error: Error) => `${error.name}: ${error.message}`);
    tally.done++;
    if (outcome !== "66660011") tally.failures.push(outcome);
  }
}

function formCall(balancer: Balancer, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/x-www-form-urlencoded", authorization: `Bearer ${TOKEN}` };
    http
      .request(`http://${balancer.http}/get_result`, { method: "POST", headers, agent }, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on("error", reject);
        response.on("end", () => {
          const { code } = JSON.parse(body) as { code: string };
          resolve(response.statusCode === 200 ? code : `HTTP ${response.statusCode}: ${body}`);
        });
      })
      .on("error", reject)
      .end("order_no=order1");
  });
}

test("a rolling restart of three processes under load fails no call and fetches no new token", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rolling-"));
  const { sandbox, env } = await startUpstream();
  const balancer = await startBalancer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: FORMS });
  const channels = Array.from(
    { length: CHANNELS },
    () =>
      // One connection each, also where the address is the same.
      new GrpcClient(balancer.grpc, grpc.credentials.createInsecure(), {
        "grpc.use_local_subchannel_pool": 1,
      }),
  );
  try {
    const settings = { ...env, STORE_URL: `file:${directory}`, HTTP_AUTH_TOKENS: `load:${TOKEN}` };
    const start = async () => {
      const child = await startChild({ env: settings });
      balancer.add(child);
      return child;
    };
    const running: Child[] = [];
    for (let i = 0; i < 3; i++) running.push(await start());

    const tally: Tally = { done: 0, failures: [] };
    let restarted = false;
    const enough = () => restarted && tally.done >= CALLS;
    const load = Promise.all([
      ...Array.from({ length: FORMS }, () => keepCalling(tally, enough, () => formCall(balancer, agent))),
      ...channels.map((client) =>
        keepCalling(tally, enough, async () => {
          const { code } = await client.unary(FaceVerificationService.method.getResult, {
            orderNo: "order1",
          });
          return code;
        }),
      ),
    ]);

    const exits: (number | string)[] = [];
    for (const old of running) {
      // As Kubernetes does it: first one more, then one less.
      await start();
      old.signal("SIGTERM");
      exits.push(await old.exited);
      balancer.remove(old);
    }
    restarted = true;
    await load;

    expect(exits).toEqual([0, 0, 0]);
    expect(tally.failures).toEqual([]);
    expect(tally.done).toBeGreaterThanOrEqual(CALLS);
    expect(sandbox.stats.calls.access_token).toBe(1);
    expect(sandbox.breaches).toEqual([]);
  } finally {
    for (const client of channels) client.close();
    agent.destroy();
    await endChildren();
    await balancer.stop();
    await sandbox.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 180_000);
