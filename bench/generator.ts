import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type CallerOptions, caller, type Outcome } from "./callers.ts";
import { quantile } from "./numbers.ts";

export interface GeneratorOptions extends CallerOptions {
  seconds: number;
  /** So many calls under way at all times, or so many begun in a second whatever becomes of them. */
  concurrency?: number;
  rate?: number;
  /** With `rate`: calls come as from callers who do not know of each other, and not in step. */
  apart?: boolean;
  /** With `concurrency`: ends after so many calls, if the time is not over before. */
  calls?: number;
}

/** Times in milliseconds. */
export interface Generated {
  ok: number;
  refused: number;
  failed: number;
  /** Begun, in a second. */
  offered: number;
  /** Of the answers within the time measured, in a second. */
  goodput: number;
  p50: number;
  p99: number;
  refusedP50: number;
  refusedP99: number;
  /** Of the generator, for each call. */
  cpuMsPerCall: number;
}

/** Makes the calls and says what came of them. */
async function generate(options: GeneratorOptions): Promise<Generated> {
  const { seconds, concurrency = 0, rate, apart = false, calls = Number.POSITIVE_INFINITY } = options;
  const call = caller(options);
  const count: Record<Outcome, number> = { ok: 0, refused: 0, failed: 0 };
  const times: Record<Outcome, number[]> = { ok: [], refused: [], failed: [] };
  const began = performance.now();
  const end = began + seconds * 1000;
  // At a usual rate the first calls wait for connections and for a generator that is not warm; their times do not count.
  const settled = apart ? began + Math.min(500, seconds * 250) : began;
  const cpu = process.cpuUsage();
  let started = 0;
  let inTime = 0;

  async function measured(): Promise<void> {
    started++;
    const from = performance.now();
    const outcome = await call().catch((): Outcome => "failed");
    const now = performance.now();
    count[outcome]++;
    if (from >= settled) times[outcome].push(now - from);
    if (outcome === "ok" && now <= end) inTime++;
  }

  const underWay: Promise<void>[] = [];
  if (rate === undefined) {
    const work = async () => {
      while (performance.now() < end && started < calls) await measured();
    };
    underWay.push(...Array.from({ length: concurrency }, work));
  } else if (apart) {
    const pacer = new Worker(new URL("./pacer.ts", import.meta.url), { workerData: { rate, seconds } });
    pacer.on("message", () => underWay.push(measured()));
    await once(pacer, "exit");
  } else {
    for (let now = began; now < end; now = performance.now()) {
      while (started < ((now - began) / 1000) * rate) underWay.push(measured());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await Promise.all(underWay);
  const { user: userUs, system } = process.cpuUsage(cpu);
  return {
    ...count,
    offered: started / seconds,
    goodput: inTime / seconds,
    p50: quantile(times.ok, 0.5),
    p99: quantile(times.ok, 0.99),
    refusedP50: quantile(times.refused, 0.5),
    refusedP99: quantile(times.refused, 0.99),
    cpuMsPerCall: (userUs + system) / 1000 / started,
  };
}

const generated = await generate(JSON.parse(process.argv[2]!) as GeneratorOptions);
process.send!(generated, () => process.exit(0));
