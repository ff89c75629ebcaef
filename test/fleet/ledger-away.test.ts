import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "vitest";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { eventually } from "../support/harness.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";

const person = { name: "张三", id_no: "11010519491231002X" };
const CALLERS = 4;
/** How long PostgreSQL is away, milliseconds; `POSTGRES_AWAY_MS=30000` for the full length. */
const AWAY_MS = Number(process.env["POSTGRES_AWAY_MS"] ?? 5_000);

afterEach(endChildren);
afterAll(stopPostgres);

/** Launches one person after another until it is told to stop; `failed` gets what did not succeed. */
async function launchOnAndOn(
  child: Child,
  on: { going: boolean },
  made: string[],
  failed: string[],
): Promise<void> {
  while (on.going) {
    const body = new URLSearchParams({ ...person, user_id: randomBytes(8).toString("hex") });
    const response = await fetch(`${child.http}/get_face_params`, { method: "POST", body });
    const answer = (await response.json()) as { code: string; result?: { order_no: string } };
    if (answer.code === "0" && answer.result) made.push(answer.result.order_no);
    else failed.push(JSON.stringify(answer));
  }
}

const TROUBLES: readonly [what: string, trouble: (server: PostgresServer) => Promise<void>][] = [
  ["restarted", (server) => server.restart()],
  [
    "killed, and away for a while",
    async (server) => {
      await server.kill();
      await delay(AWAY_MS);
      await server.restart();
    },
  ],
  [
    "frozen, and awake again",
    async (server) => {
      server.signal("SIGSTOP");
      await delay(AWAY_MS);
      server.signal("SIGCONT");
    },
  ],
];

test.skipIf(missingPostgres()).each(TROUBLES)(
  "while PostgreSQL is %s no launch fails, and every one is in the ledger afterwards",
  async (_what, trouble) => {
    const server = await startPostgres({ durable: true });
    const url = await server.createDatabase();
    const { sandbox, env } = await startUpstream();
    const child = await startChild({ env: { ...env, STORE_URL: url, LEDGER_URL: url } });
    const [made, failed]: [string[], string[]] = [[], []];
    const on = { going: true };
    const callers = Array.from({ length: CALLERS }, () => launchOnAndOn(child, on, made, failed));
    await eventually(() => made.length > 20);
    await trouble(server);
    const before = made.length;
    await eventually(() => made.length > before + 20);
    on.going = false;
    await Promise.all(callers);
    expect(failed).toEqual([]);

    const stored = async () =>
      new Set((await server.sql(url, "SELECT order_no FROM faceid_orders")).split("\n"));
    const missing = async () => {
      const all = await stored();
      return made.filter((orderNo) => !all.has(orderNo));
    };
    await eventually(async () => (await missing().catch(() => made)).length === 0, 60_000).catch(
      () => undefined,
    );
    expect(await missing()).toEqual([]);
    child.signal("SIGTERM");
    expect(await child.exited).toBe(0);
    await sandbox.stop();
  },
  150_000,
);
