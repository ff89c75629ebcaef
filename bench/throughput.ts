import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis, stopRedis } from "../test/support/redis.ts";
import { DOORS, type Door } from "./doors.ts";
import { saturate, warm } from "./loads.ts";
import { measure, type Run } from "./measure.ts";
import { fixed, median, spread } from "./numbers.ts";
import { orderOf, type Program, startProgram, startService } from "./programs.ts";
import { machine, report, table } from "./report.ts";
import { bars } from "./svg.ts";

export interface ThroughputOptions {
  seconds: number;
  rounds: number;
  /** Calls that every process gets at each of its doors before it is measured. */
  warmUp: number;
  write: boolean;
}

type Name = "service" | "with Redis" | "small nursery" | "floor" | "grpc-js" | "fastify" | "demo";

/** Who takes part at which door. */
const PARTS: Readonly<Record<Door, readonly Name[]>> = {
  "form GetFaceParams": ["service", "with Redis", "small nursery", "floor", "demo"],
  "form GetResult": ["service", "floor"],
  "json GetFaceParams": ["service", "floor", "fastify"],
  "json GetResult": ["service", "floor", "fastify"],
  "grpc GetFaceParams": ["service", "with Redis", "floor", "grpc-js"],
  "grpc GetResult": ["service", "floor", "grpc-js"],
};

const keyOf = (door: Door, name: Name) => `${door} ${name}`;

/** As fast as each can, with a vendor that answers at once: every program after the other, several rounds. */
export async function throughput({ seconds, rounds, warmUp, write }: ThroughputOptions): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const tickets = join(directory, "tickets.json");
  writeFileSync(tickets, JSON.stringify({ accessToken: "a".repeat(64), signTicket: "t".repeat(64) }));
  const upstream = await startProgram("bench/upstream.ts");
  const env = { UPSTREAM: upstream.http, TICKETS: tickets };
  const redis = await startRedis();
  const programs: Record<Name, Program> = {
    service: await startService(upstream),
    "with Redis": await startService(upstream, { STORE_URL: redis.url }),
    "small nursery": await startService(upstream, {}, { nodeArgs: ["--max-semi-space-size=8"] }),
    floor: await startProgram("bench/floor.ts", env),
    "grpc-js": await startProgram("bench/peers/grpc-js.ts", env),
    fastify: await startProgram("bench/peers/fastify.ts", env),
    demo: await startProgram("bench/peers/demo.ts", env),
  };
  const orderNo = await orderOf(programs.service);
  const runs = new Map<string, Run[]>();

  const parts = DOORS.flatMap((door) =>
    PARTS[door].map((name) => ({
      key: keyOf(door, name),
      target: { door, program: programs[name], orderNo },
    })),
  );
  for (const { target } of parts) await warm(target, warmUp);
  for (let round = 0; round < rounds; round++) {
    for (const { key, target } of parts) {
      const run = await measure(target, upstream, () => saturate(target, seconds));
      runs.set(key, [...(runs.get(key) ?? []), run]);
    }
  }
  await stopRedis();
  rmSync(directory, { recursive: true });

  const all = (door: Door, name: Name, of: (run: Run) => number) =>
    (runs.get(keyOf(door, name)) ?? []).map(of);
  const rows = DOORS.flatMap((door) =>
    PARTS[door].map((name) => {
      const pick = (of: (run: Run) => number) => median(all(door, name, of));
      const ours = all(door, "service", ({ cpuUs }) => cpuUs);
      const ratios = all(door, name, ({ cpuUs }) => cpuUs).map((cpuUs, i) => cpuUs / ours[i]!);
      const rates = all(door, "service", ({ perSecond }) => perSecond);
      const reached = all(door, name, ({ perSecond }) => perSecond).map((rate, i) => rates[i]! / rate);
      const own = name === "service";
      return [
        own ? `**${door}**` : "",
        own ? "**the service**" : name,
        fixed(pick(({ perSecond }) => perSecond)),
        own ? "1" : spread(reached),
        fixed(pick(({ cpuUs }) => 1e6 / cpuUs)),
        fixed(pick(({ cpuUs }) => cpuUs)),
        own ? "1" : spread(ratios),
        fixed(
          pick(({ p50 }) => p50),
          1,
        ),
        fixed(
          pick(({ p99 }) => p99),
          1,
        ),
        fixed(pick(({ rss }) => rss)),
        fixed(
          pick(({ upstreamCalls }) => upstreamCalls),
          2,
        ),
      ];
    }),
  );
  const head = [
    "door",
    "program",
    "req/s",
    "ours of its",
    "req/s per core",
    "CPU us",
    "of ours",
    "p50 ms",
    "p99 ms",
    "RSS MiB",
  ];
  const text = table([...head, "vendor calls"], rows);
  const said = machine(
    `npm run bench -- throughput --seconds ${seconds} --rounds ${rounds} --warm-up ${warmUp}`,
  );
  report("throughput", `${said}\n\n${text}`, write);
  if (!write) return;
  const cpu = (door: Door) =>
    PARTS[door].map((name) => ({ label: name, value: median(all(door, name, ({ cpuUs }) => cpuUs)) }));
  const groups = DOORS.map((door) => ({ title: door, bars: cpu(door) }));
  bars("cpu.svg", "CPU time of the server per request, microseconds: shorter is better", groups);
}
