import { generate } from "./loads.ts";
import { fixed, median, spread } from "./numbers.ts";
import { type Program, startProgram, startService } from "./programs.ts";
import { machine, report, table } from "./report.ts";

export interface MemoryOptions {
  seconds: number;
  rounds: number;
  /** Calls that every process gets before it is measured. */
  warmUp: number;
  /** The directory of a control group with a limit of memory, to measure the same inside it. */
  cgroup: string | undefined;
  write: boolean;
}

const RATE = 500;
/** The most that V8 may let each half of its young generation grow to, MiB; undefined is its own choice. */
const SEMI_SPACES = [undefined, 8, 16, 32, 64] as const;

interface Sample {
  rss: number;
  mostRss: number;
  /** What V8 has for its young generation at the end, MiB. */
  young: number;
  cpuUs: number;
  p99: number;
}

/** What room for V8's young generation buys and costs. A process for each sample: one that had a load keeps its memory. */
export async function memory({ seconds, rounds, warmUp, cgroup, write }: MemoryOptions): Promise<void> {
  const upstream = await startProgram("bench/upstream.ts");
  const places = cgroup === undefined ? [undefined] : [undefined, cgroup];
  const cases = places.flatMap((place) =>
    SEMI_SPACES.map((semiSpace) => ({ place, semiSpace, samples: [] as Sample[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { place, semiSpace, samples } of cases) {
      const nodeArgs = semiSpace === undefined ? [] : [`--max-semi-space-size=${semiSpace}`];
      const service = await startService(upstream, {}, { nodeArgs, cgroup: place });
      // At the rate of the sample: at full load the young generation would grow to all it may have.
      await load(service, warmUp / RATE);
      samples.push(await sample(service, seconds));
      await service.stop();
    }
  }

  const rows = cases.map(({ place, semiSpace, samples }) => {
    const chosen = cases.find((one) => one.place === place)!.samples;
    const pick = (of: (sample: Sample) => number, digits = 0) => fixed(median(samples.map(of)), digits);
    return [
      place === undefined ? "of the machine" : "of the control group",
      semiSpace === undefined ? "V8's choice" : String(semiSpace),
      spread(
        samples.map(({ rss }) => rss),
        0,
      ),
      fixed(Math.max(...samples.map(({ mostRss }) => mostRss))),
      pick(({ young }) => young, 1),
      pick(({ cpuUs }) => cpuUs),
      spread(samples.map(({ cpuUs }, i) => cpuUs / chosen[i]!.cpuUs)),
      pick(({ p99 }) => p99, 1),
    ];
  });
  const head = ["memory", "semi-space MiB", "RSS MiB", "RSS at most MiB", "young generation MiB", "CPU us"];
  const text = table([...head, "over V8's choice", "p99 ms"], rows);
  const inside = cgroup === undefined ? "" : " --cgroup DIRECTORY";
  const command = `npm run bench -- memory --seconds ${seconds} --rounds ${rounds} --warm-up ${warmUp}${inside}`;
  const setting = `${RATE} calls a second, half by form and half by gRPC, that do not go in step.`;
  report("memory", `${machine(command)} ${setting}\n\n${text}`, write);
}

function load({ http, grpc }: Program, seconds: number) {
  const half = { rate: RATE / 2, apart: true, seconds };
  return Promise.all([
    generate({ client: "form GetFaceParams", url: http, connections: 8, ...half }),
    generate({ client: "grpc GetFaceParams", url: grpc, connections: 2, ...half }),
  ]);
}

async function sample(service: Program, seconds: number): Promise<Sample> {
  let mostRss = service.rssMiB();
  const watching = setInterval(() => {
    mostRss = Math.max(mostRss, service.rssMiB());
  }, 50);
  const cpuMs = service.cpuMs();
  const made = await load(service, seconds);
  const cpuUs = ((service.cpuMs() - cpuMs) * 1000) / made.reduce((sum, { ok }) => sum + ok, 0);
  clearInterval(watching);
  const failed = made.reduce((sum, one) => sum + one.failed + one.refused, 0);
  if (failed > 0) throw new Error(`${failed} calls failed`);
  const rss = service.rssMiB();
  const text = await (await fetch(`${service.admin}/metrics`)).text();
  const young = Number(/^nodejs_heap_space_size_total_bytes\{.*space="new".*\} (\S+)/m.exec(text)?.[1]);
  return { rss, mostRss, young: young / 2 ** 20, cpuUs, p99: Math.max(...made.map(({ p99 }) => p99)) };
}
