import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, stopPostgres } from "../test/support/postgres.ts";
import type { Door } from "./doors.ts";
import { generate, load, type Target, warm } from "./loads.ts";
import { fixed, median, spread } from "./numbers.ts";
import { type Program, startProgram, startService, upstreamSeen } from "./programs.ts";
import { machine, report, table } from "./report.ts";

export interface OrdersBenchOptions {
  seconds: number;
  rounds: number;
  /** Calls that every process gets before it is measured. */
  warmUp: number;
  write: boolean;
}

const DOORS: readonly Door[] = ["form GetFaceParams", "grpc GetFaceParams"];
/** Calls a second; undefined is as many as are answered. */
const RATES = [undefined, 200] as const;
const DELAY_MS = 30;
const DELAY_RATE = 25;

/** What a ledger costs a launch: CPU of the process, its thread included, and time with a vendor that takes its own. */
export async function orders({ seconds, rounds, warmUp, write }: OrdersBenchOptions): Promise<void> {
  const upstream = await startProgram("bench/upstream.ts");
  const directory = mkdtempSync(join(tmpdir(), "bench-orders-"));
  const server = await startPostgres({ durable: true });
  // Looks at earlier launches are another process's work.
  const store = { STORE_URL: `file:${join(directory, "tickets")}` };
  const refresher = await startService(upstream, { ...store, ROLE: "refresh" });
  const serving = (env = {}) => startService(upstream, { ...store, ROLE: "serve", ...env });
  const services: Record<string, Program> = {
    "no ledger": await serving(),
    SQLite: await serving({ LEDGER_URL: `sqlite:${join(directory, "ledger")}` }),
    PostgreSQL: await serving({ LEDGER_URL: await server.createDatabase() }),
  };
  const names = Object.keys(services);
  const rows: string[][] = [];
  for (const door of DOORS) {
    for (const program of Object.values(services)) await warm({ door, program, orderNo: "" }, warmUp);
    for (const rate of RATES) {
      // As the vendor is, where there is time for it: a row is written while it is asked.
      await upstreamSeen(upstream, rate === undefined ? 0 : DELAY_MS);
      const cpuUs: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
      for (let round = 0; round < rounds; round++) {
        // All at once: what else the machine does is then the same for each.
        const measured = names.map(async (name) => {
          const target = { door, program: services[name]!, orderNo: "" };
          cpuUs[name]!.push(await cpuOf(target, rate, seconds));
        });
        await Promise.all(measured);
      }
      for (const name of names) {
        const ratios = cpuUs[name]!.map((value, round) => value / cpuUs["no ledger"]![round]!);
        const calls = rate === undefined ? "saturated" : String(rate);
        rows.push([door, calls, name, fixed(median(cpuUs[name]!)), spread(ratios), "1.25"]);
      }
    }
  }

  await upstreamSeen(upstream, DELAY_MS);
  const exchange: number[] = [];
  const p50: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const slowly = { seconds, rate: DELAY_RATE };
    exchange.push((await generate({ client: "upstream", url: upstream.http, ...slowly })).p50);
    for (const name of names) {
      const made = await generate({ client: "form GetFaceParams", url: services[name]!.http, ...slowly });
      p50[name]!.push(made.p50);
    }
  }
  const slow = names.map((name) => [
    name,
    fixed(median(p50[name]!), 1),
    spread(p50[name]!.map((value, round) => value / exchange[round]!)),
    "1.10",
  ]);

  for (const program of [...Object.values(services), refresher]) await program.stop();
  await stopPostgres();
  rmSync(directory, { recursive: true });
  const cpu = table(["door", "calls a second", "ledger", "CPU us", "over no ledger", "target"], rows);
  const time = table(["form GetFaceParams", "p50 ms", "of one exchange", "target"], slow);
  const said = machine(`npm run bench -- orders --seconds ${seconds} --rounds ${rounds} --warm-up ${warmUp}`);
  const setting = `The databases are on the same disk and processors. Saturated, the vendor answers at once; otherwise after ${DELAY_MS} ms; all three processes are under load at once. Below, ${DELAY_RATE} calls a second.`;
  report("orders", `${said} ${setting}\n\n${cpu}\n\n${time}`, write);
}

/** CPU of a call, microseconds, at a rate or, without one, at full load. */
async function cpuOf(target: Target, rate: number | undefined, seconds: number): Promise<number> {
  const { program } = target;
  const before = program.cpuMs();
  const made = await load(target, rate, seconds);
  if (made.failed > 0) throw new Error(`${target.door}: ${made.failed} calls failed`);
  return ((program.cpuMs() - before) * 1000) / made.requests;
}
