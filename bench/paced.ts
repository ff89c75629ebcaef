import { startRedis, stopRedis } from "../test/support/redis.ts";
import { type Door, doorOptions } from "./doors.ts";
import { load, warm } from "./loads.ts";
import { measure, type Run } from "./measure.ts";
import { fixed, median, spread } from "./numbers.ts";
import {
  endPrograms,
  orderOf,
  type Program,
  startProgram,
  startService,
  TOKEN,
  WITH_TOKEN,
} from "./programs.ts";
import { machine, report, table } from "./report.ts";

export interface PacedOptions {
  seconds: number;
  rounds: number;
  /** Calls that every process gets before it is measured. */
  warmUp: number;
  /** Calls a second. */
  rates: readonly number[];
  doors: readonly Door[];
  write: boolean;
}

/** Calls a second, unless others are asked for. */
export const RATES: readonly number[] = [50, 200, 800];
/** Undefined is as fast as each answers. */
type Rate = number | undefined;
/** A slower rate is measured for longer: the kernel counts processor time in steps of 10 ms. */
const FULL_RATE = 200;

type Name = "service" | "floor" | "usual stack" | "with Redis";

/**
 * As people call, and not at saturation: what a call costs the service, the floor, the usual stack that does as much, and the
 * service with Redis. Each door has its own processes, and all of them the same number of calls before the first that counts.
 */
export async function paced(options: PacedOptions): Promise<void> {
  const { seconds, rounds, warmUp, rates, doors, write } = options;
  const rows: string[][] = [];
  for (const door of doors) rows.push(...(await rowsOf(door, options)));
  const head = [
    "door",
    "calls a second",
    "CPU us",
    "over the floor",
    "over the usual stack",
    "Redis over memory",
  ];
  const times = ["p50 / p99 ms", "of the floor", "of the usual stack"];
  const command = `npm run bench -- paced --seconds ${seconds} --rounds ${rounds} --warm-up ${warmUp}${rateOptions(rates)}${doorOptions(doors)}`;
  report("paced", `${machine(command)}\n\n${table([...head, ...times], rows)}`, write);
}

const rateOptions = (rates: readonly number[]): string =>
  rates === RATES ? "" : rates.map((rate) => ` --rate ${rate}`).join("");

async function rowsOf(door: Door, options: PacedOptions): Promise<string[][]> {
  const { seconds, rounds, warmUp } = options;
  const rates: Rate[] = [...options.rates, undefined];
  const upstream = await startProgram("bench/upstream.ts");
  const programs = await startAll(door, upstream);
  const orderNo = await orderOf(programs.get("service")!, TOKEN);
  const targets = [...programs].map(([name, program]) => ({
    name,
    target: { door, program, orderNo, token: TOKEN },
  }));
  for (const { target } of targets) await warm(target, warmUp);

  const runs = new Map<Rate, Map<Name, Run[]>>(
    rates.map((rate) => [rate, new Map(targets.map(({ name }) => [name, []]))]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const rate of rates) {
      const length = seconds * (rate === undefined ? 1 : Math.max(1, FULL_RATE / rate));
      // Another one comes first in each round.
      const first = round % targets.length;
      for (const { name, target } of [...targets.slice(first), ...targets.slice(0, first)]) {
        const run = await measure(target, upstream, () => load(target, rate, length));
        expectWork(door, name, run);
        runs.get(rate)!.get(name)!.push(run);
      }
    }
  }
  await endPrograms();
  await stopRedis();
  return rates.map((rate, i) => [i === 0 ? `**${door}**` : "", ...row(rate, runs.get(rate)!)]);
}

/** The service with the bearer check that the usual stack has, and all that is compared with it at this door. */
async function startAll(door: Door, upstream: Program): Promise<Map<Name, Program>> {
  const env = { UPSTREAM: upstream.http, ...WITH_TOKEN };
  const usual = door.startsWith("grpc") ? "usual-grpc-js" : "usual-fastify";
  const programs = new Map<Name, Program>([
    ["service", await startService(upstream, WITH_TOKEN)],
    ["floor", await startProgram("bench/floor.ts", env)],
    ["usual stack", await startProgram(`bench/peers/${usual}.ts`, env)],
  ]);
  // A result is read from the vendor and no store is asked.
  if (door.endsWith("GetResult")) return programs;
  const { url } = await startRedis();
  return programs.set("with Redis", await startService(upstream, { ...WITH_TOKEN, STORE_URL: url }));
}

/** A program that answered without the calls to the vendor would look cheap. */
function expectWork(door: Door, name: Name, { upstreamCalls }: Run): void {
  const needed = door.endsWith("GetResult") ? 1 : 2;
  if (upstreamCalls < needed)
    throw new Error(`${door}, ${name}: ${upstreamCalls} calls to the vendor for each`);
}

function row(rate: Rate, runs: ReadonlyMap<Name, readonly Run[]>): string[] {
  const ours = runs.get("service")!;
  /** The first over the second, both of the same round. */
  const ratio = (over: Name, under: Name) => {
    const [top, bottom] = [runs.get(over), runs.get(under)];
    return top && bottom ? spread(top.map(({ cpuUs }, i) => cpuUs / bottom[i]!.cpuUs)) : "";
  };
  const pick = (name: Name, of: (run: Run) => number) => median(runs.get(name)!.map(of));
  const times = (name: Name) => {
    const [p50, p99] = [pick(name, (run) => run.p50), pick(name, (run) => run.p99)];
    return Number.isNaN(p50) ? "" : `${fixed(p50, 1)} / ${fixed(p99, 1)}`;
  };
  return [
    rate === undefined ? `saturated, ${fixed(median(ours.map(({ perSecond }) => perSecond)))}` : String(rate),
    fixed(pick("service", ({ cpuUs }) => cpuUs)),
    ratio("service", "floor"),
    ratio("service", "usual stack"),
    ratio("with Redis", "service"),
    times("service"),
    times("floor"),
    times("usual stack"),
  ];
}
