import { generate } from "./loads.ts";
import { fixed, median } from "./numbers.ts";
import { startProgram, startService, upstreamSeen } from "./programs.ts";
import { machine, report, table } from "./report.ts";
import { lines } from "./svg.ts";

const DELAY_MS = 30;

interface Sample {
  rss: number;
  heap: number;
  handles: number;
  p50: number;
  p99: number;
  cpuUs: number;
  connections: number;
}

/** Hours of work in small: the same load by form and gRPC for minutes, with memory, handles and times now and then. */
export async function soak(options: { minutes: number; rate: number; write: boolean }): Promise<void> {
  const { minutes, rate, write } = options;
  const upstream = await startProgram("bench/upstream.ts");
  const service = await startService(upstream);
  await upstreamSeen(upstream, DELAY_MS);
  const end = performance.now() + minutes * 60_000;
  const samples: Sample[] = [];
  let [calls, failed] = [0, 0];
  while (performance.now() < end) {
    const [cpuMs, before] = [service.cpuMs(), await upstreamSeen(upstream)];
    // As many connections as the rate needs while the vendor takes its time: or the calls would queue in the generator.
    const load = { seconds: Math.min(15, minutes * 20), rate: rate / 2, connections: 64 };
    const made = await Promise.all([
      generate({ client: "form GetFaceParams", url: service.http, ...load }),
      generate({ client: "grpc GetFaceParams", url: service.grpc, ...load }),
    ]);
    const ok = made.reduce((sum, one) => sum + one.ok, 0);
    calls += ok;
    failed += made.reduce((sum, one) => sum + one.failed + one.refused, 0);
    const cpuUs = ((service.cpuMs() - cpuMs) * 1000) / ok;
    const text = await (await fetch(`${service.admin}/metrics`)).text();
    const gauge = (name: string) => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)`, "m").exec(text)?.[1]);
    const handles = [...text.matchAll(/^nodejs_active_resources\{[^}]*\} (\d+)/gm)];
    samples.push({
      rss: service.rssMiB(),
      heap: gauge("nodejs_heap_size_used_bytes") / 2 ** 20,
      handles: handles.reduce((sum, [, count]) => sum + Number(count), 0),
      p50: median(made.map(({ p50 }) => p50)),
      p99: Math.max(...made.map(({ p99 }) => p99)),
      cpuUs,
      connections: (await upstreamSeen(upstream)).connections - before.connections,
    });
  }
  const parts = [0, 1, 2, 3].map((quarter) => {
    const size = samples.length / 4;
    return samples.slice(Math.floor(quarter * size), Math.max(1, Math.floor((quarter + 1) * size)));
  });
  const rows = parts.map((part, i) => {
    const pick = (of: (sample: Sample) => number, digits = 0) => fixed(median(part.map(of)), digits);
    const times = [pick(({ p50 }) => p50, 1), pick(({ p99 }) => p99, 1), pick(({ cpuUs }) => cpuUs)];
    const memory = [pick(({ heap }) => heap), pick(({ rss }) => rss), pick(({ handles }) => handles)];
    return [`${i + 1} of 4`, ...memory, ...times, pick(({ connections }) => connections)];
  });
  const head = ["quarter", "heap MiB", "RSS MiB", "handles", "p50 ms", "p99 ms", "CPU us"];
  const text = table([...head, "new vendor connections"], rows);
  const said = machine(`npm run bench -- soak --minutes ${minutes} --rate ${rate}`);
  const setting = `${rate} calls a second, half by form and half by gRPC; ${calls} calls, ${failed} failed or refused.`;
  report("soak", `${said} ${setting} Medians.\n\n${text}`, write);
  if (!write) return;
  const series = [
    { label: "heap, MiB", values: samples.map(({ heap }) => heap) },
    { label: "RSS, MiB", values: samples.map(({ rss }) => rss) },
    { label: "handles", values: samples.map(({ handles }) => handles) },
    { label: "p99, ms", values: samples.map(({ p99 }) => p99) },
  ];
  lines("soak.svg", `${fixed(minutes)} minutes at ${rate} calls a second`, series, minutes);
}
