import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { afterAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { missingPostgres, startPostgres, stopPostgres } from "../support/postgres.ts";

const SECRET = `whsec_${randomBytes(32).toString("base64")}`;
const person = { name: "张三", id_no: "11010519491231002X" };
const PROCESSES = 2;
const KILLS = 4;
/** Launches under way at once, at each process. */
const CALLERS = 2;

afterAll(async () => {
  await endChildren();
  await stopPostgres();
});

interface Received {
  type: string;
  data: { order_no: string; verdict: string; reference: string };
}

/** A receiver that refuses one event in four the first time, and checks each as a stranger would. */
async function startReceiver() {
  const received = new Map<string, Received[]>();
  const refused = new Set<string>();
  const webhook = new Webhook(SECRET);
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray().catch(() => undefined);
    // Killed while it sent.
    if (chunks === undefined) return response.destroy();
    const body = Buffer.concat(chunks).toString();
    const event = webhook.verify(body, request.headers as Record<string, string>) as Received;
    const id = String(request.headers["webhook-id"]);
    if (!refused.has(id) && Math.random() < 0.25) {
      refused.add(id);
      return response.writeHead(400).end();
    }
    received.set(id, [...(received.get(id) ?? []), event]);
    return response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Launches one person after another at a process, until it is killed; `answered` gets every launch that was answered. */
async function launchUntilKilled(
  child: Child,
  sandbox: Sandbox,
  answered: Map<string, string>,
): Promise<void> {
  for (let i = 0; ; i++) {
    const user_id = randomBytes(8).toString("hex");
    const body = new URLSearchParams({ ...person, user_id, reference: `ref ${user_id}` });
    try {
      const response = await fetch(`${child.http}/get_face_params`, { method: "POST", body });
      const { code, result } = (await response.json()) as { code: string; result: { order_no: string } };
      if (code !== "0") continue;
      answered.set(result.order_no, `ref ${user_id}`);
      // Half of the apps are quick, and all are killed afterwards: nobody asks for a verdict.
      if (i % 2 === 0) sandbox.complete(result.order_no, "passed");
    } catch {
      return;
    }
  }
}

const ENGINES: readonly [name: string, open: () => Promise<{ url: string; end: () => void }>][] = [
  [
    "SQLite",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "killed-"));
      return { url: `sqlite:${directory}`, end: () => rmSync(directory, { recursive: true, force: true }) };
    },
  ],
  [
    "PostgreSQL",
    async () => {
      const server = await startPostgres({ durable: true });
      return { url: await server.createDatabase(), end: () => undefined };
    },
  ],
];

describe.concurrent.each(ENGINES)("processes on %s", (name, open) => {
  test.skipIf(name === "PostgreSQL" && missingPostgres())(
    "processes that are killed at any instant lose no launch that was answered, and each outcome arrives unasked",
    async () => {
      const { url, end } = await open();
      const store = mkdtempSync(join(tmpdir(), "killed-store-"));
      const receiver = await startReceiver();
      const { sandbox, env: upstream } = await startUpstream();
      const env = {
        ...upstream,
        STORE_URL: `file:${store}`,
        LEDGER_URL: url,
        WEBHOOK_ENDPOINTS: `crm=${receiver.url}`,
        WEBHOOK_SECRETS: `crm:${SECRET}`,
      };
      const start = () => startChild({ env });
      const answered = new Map<string, string>();
      const children = [await start(), await start()];
      const busy = (child: Child) =>
        Array.from({ length: CALLERS }, () => launchUntilKilled(child, sandbox, answered));
      const callers = children.flatMap(busy);
      for (let kill = 0; kill < KILLS; kill++) {
        await delay(100 + Math.random() * 500);
        const victim = kill % PROCESSES;
        children[victim]?.signal("SIGKILL");
        await children[victim]?.exited;
        const next = await start();
        children[victim] = next;
        // After the last kill nobody calls any more.
        if (kill < KILLS - PROCESSES) callers.push(...busy(next));
      }
      await Promise.all(callers);
      expect(answered.size).toBeGreaterThan(50);
      for (const orderNo of answered.keys()) sandbox.complete(orderNo, "passed");

      const lost = () => [...answered.keys()].filter((orderNo) => !receiver.received.has(`evt_${orderNo}`));
      await eventually(() => lost().length === 0, 120_000).catch(() => undefined);
      expect(lost()).toEqual([]);
      for (const [orderNo, reference] of answered) {
        const events = receiver.received.get(`evt_${orderNo}`) ?? [];
        for (const { type, data } of events) {
          expect([type, data.order_no, data.verdict, data.reference]).toEqual([
            "order.completed",
            orderNo,
            "VERDICT_PASSED",
            reference,
          ]);
        }
        // Repeats are the same event.
        expect(new Set(events.map((event) => JSON.stringify(event))).size).toBe(1);
      }
      for (const child of children) child.signal("SIGTERM");
      await Promise.all(children.map(({ exited }) => exited));
      receiver.stop();
      await sandbox.stop();
      rmSync(store, { recursive: true, force: true });
      end();
    },
    240_000,
  );
});
