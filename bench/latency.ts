import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GeneratorOptions } from "./generator.ts";
import { generate } from "./loads.ts";
import { fixed, median, spread } from "./numbers.ts";
import { type Program, startProgram, startService, upstreamSeen } from "./programs.ts";
import { machine, report, table } from "./report.ts";
import { bars } from "./svg.ts";

const DELAY_MS = 30;
const RATE = 25;

/** GetFaceParams at a fixed rate with a vendor that takes its time, against one exchange with that vendor. */
export async function latency(options: { seconds: number; rounds: number; write: boolean }): Promise<void> {
  const { seconds, rounds, write } = options;
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const tickets = join(directory, "tickets.json");
  writeFileSync(tickets, "{}");
  const upstream = await startProgram("bench/upstream.ts");
  const env = { UPSTREAM: upstream.http, TICKETS: tickets };
  const service = await startService(upstream);
  const floor = await startProgram("bench/floor.ts", env);
  const demo = await startProgram("bench/peers/demo.ts", env);
  await upstreamSeen(upstream, DELAY_MS);

  const cases: { label: string; client: GeneratorOptions["client"]; url: string; program: Program }[] = [
    { label: "one exchange with the vendor", client: "upstream", url: upstream.http, program: upstream },
    { label: "form", client: "form GetFaceParams", url: service.http, program: service },
    { label: "JSON", client: "json GetFaceParams", url: service.http, program: service },
    { label: "gRPC", client: "grpc GetFaceParams", url: service.grpc, program: service },
    { label: "gRPC, grpc-js client", client: "grpc-js", url: service.grpc, program: service },
    { label: "gRPC, Connect client", client: "connect", url: service.grpc, program: service },
    { label: "floor, form", client: "form GetFaceParams", url: floor.http, program: floor },
    { label: "floor, gRPC", client: "grpc GetFaceParams", url: floor.grpc, program: floor },
    { label: "demo's way, form", client: "form GetFaceParams", url: demo.http, program: demo },
  ];
  const runs = cases.map(() => ({
    p50: [] as number[],
    p99: [] as number[],
    clientMs: [] as number[],
    connections: [] as number[],
  }));
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { client, url }] of cases.entries()) {
      const before = await upstreamSeen(upstream);
      const made = await generate({ client, url, seconds: round === 0 ? 1 : seconds, rate: RATE });
      const after = await upstreamSeen(upstream);
      if (made.failed + made.refused > 0) throw new Error(`${cases[i]!.label}: ${made.failed} failed`);
      if (round === 0) continue;
      runs[i]!.p50.push(made.p50);
      runs[i]!.p99.push(made.p99);
      runs[i]!.clientMs.push(made.cpuMsPerCall);
      runs[i]!.connections.push(after.connections - before.connections);
    }
  }
  rmSync(directory, { recursive: true });

  const rows = cases.map(({ label }, i) => {
    const { p50, p99, clientMs, connections } = runs[i]!;
    const ratios = p50.map((value, round) => value / runs[0]!.p50[round]!);
    const own = i === 0 ? "" : fixed(median(connections));
    return [
      label,
      fixed(median(p50), 1),
      spread(ratios),
      fixed(median(p99), 1),
      fixed(median(clientMs), 2),
      own,
    ];
  });
  const head = [
    "GetFaceParams by",
    "p50 ms",
    "of one exchange",
    "p99 ms",
    "client CPU ms",
    "new vendor connections",
  ];
  const said = machine(`npm run bench -- latency --seconds ${seconds} --rounds ${rounds}`);
  const setting = `${RATE} calls a second, a vendor that answers after ${DELAY_MS} ms.`;
  report("latency", `${said} ${setting}\n\n${table(head, rows)}`, write);
  if (!write) return;
  const values = cases.map(({ label }, i) => ({ label, value: median(runs[i]!.p50) }));
  bars("latency.svg", `p50 of GetFaceParams, ms, with a vendor of ${DELAY_MS} ms`, [
    { title: "", bars: values },
  ]);
}
