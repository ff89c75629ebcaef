import { type Door, doorOptions } from "./doors.ts";
import { saturate, type Target, warm } from "./loads.ts";
import { measure, type Run } from "./measure.ts";
import { fixed, meanAndError, median, spread } from "./numbers.ts";
import { endPrograms, orderOf, startProgram, startService } from "./programs.ts";
import { machine, report, table } from "./report.ts";

export interface BeforeOptions {
  /** Directory of the earlier version. */
  version: string;
  seconds: number;
  /** Pairs of processes for each door. */
  rounds: number;
  /** Calls that every process gets before it is measured. */
  warmUp: number;
  doors: readonly Door[];
  write: boolean;
}

const TARGET = "1.05";

/**
 * What a call at full load costs this version over an earlier one, each with the options of its own `npm start`. Every pair of
 * processes is a fresh one, since two processes of the same code differ. Both are under load at once, each with a vendor of its
 * own: what else the machine does is then the same for both.
 */
export async function before({
  version,
  seconds,
  rounds,
  warmUp,
  doors,
  write,
}: BeforeOptions): Promise<void> {
  const rows: string[][] = [];
  for (const door of doors) {
    const pairs: (readonly [Run, Run])[] = [];
    for (let round = 0; round < rounds; round++) pairs.push(await pairOf(door, version, seconds, warmUp));
    const cpuUs = [0, 1].map((i) => fixed(median(pairs.map((pair) => pair[i]!.cpuUs))));
    const ratios = pairs.map(([earlier, now]) => now.cpuUs / earlier.cpuUs);
    const perSecond = pairs.map(([earlier, now]) => now.perSecond / earlier.perSecond);
    rows.push([door, cpuUs.join(", "), meanAndError(ratios), spread(ratios), spread(perSecond), TARGET]);
  }
  const head = [
    "door",
    "CPU us, before and now",
    "mean of now over before",
    "median",
    "requests a second",
    "target",
  ];
  const command = `npm run bench -- before --version … --seconds ${seconds} --rounds ${rounds} --warm-up ${warmUp}${doorOptions(doors)}`;
  report("before", `${machine(command)}\n\n${table(head, rows)}`, write);
}

async function pairOf(
  door: Door,
  version: string,
  seconds: number,
  warmUp: number,
): Promise<readonly [Run, Run]> {
  const start = async (options: { root?: string }) => {
    const upstream = await startProgram("bench/upstream.ts");
    const program = await startService(upstream, {}, options);
    const target: Target = { door, program, orderNo: await orderOf(program) };
    return { upstream, target };
  };
  const pair = [await start({ root: version }), await start({})] as const;
  await Promise.all(pair.map(({ target }) => warm(target, warmUp)));
  const [earlier, now] = await Promise.all(
    pair.map(({ target, upstream }) => measure(target, upstream, () => saturate(target, seconds))),
  );
  await endPrograms();
  return [earlier!, now!];
}
