import { generate } from "./loads.ts";
import { fixed } from "./numbers.ts";
import { startProgram, startService } from "./programs.ts";
import { machine, report, table } from "./report.ts";

const MIB = 2 ** 20;

/** GetResult with a photo and a video of 8 MiB, many at once: how much memory, and how long the event loop stands still. */
export async function media(options: { seconds: number; write: boolean }): Promise<void> {
  const { seconds, write } = options;
  const rows: string[][] = [];
  for (const concurrency of [1, 8, 50]) {
    const upstream = await startProgram("bench/upstream.ts");
    const service = await startService(upstream);
    await metrics(service.admin);
    const idle = service.rssMiB();
    let most = idle;
    const watching = setInterval(() => {
      most = Math.max(most, service.rssMiB());
    }, 50);
    const made = await generate({
      client: "grpc media",
      url: service.grpc,
      seconds,
      concurrency,
      connections: 4,
    });
    clearInterval(watching);
    // The gauges speak of the time since they were read last.
    const { max, p99 } = await metrics(service.admin);
    rows.push([
      String(concurrency),
      String(made.ok),
      String(made.refused + made.failed),
      fixed(made.p50),
      fixed(made.p99),
      fixed(max * 1000),
      fixed(p99 * 1000),
      fixed(idle),
      fixed(most),
    ]);
    await service.stop();
    await upstream.stop();
  }
  const head = ["calls at once", "with files", "without", "p50 ms", "p99 ms"];
  const text = table(
    [...head, "longest stall ms", "p99 stall ms", "RSS before MiB", "RSS at most MiB"],
    rows,
  );
  const said = machine(`npm run bench -- media --seconds ${seconds}`);
  report("media", `${said} Video of ${(8 * MIB) / MIB} MiB, photo of 100 KiB, by gRPC.\n\n${text}`, write);
}

async function metrics(admin: string): Promise<{ max: number; p99: number }> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const gauge = (name: string) => Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)`, "m").exec(text)?.[1]);
  return { max: gauge("nodejs_eventloop_lag_max_seconds"), p99: gauge("nodejs_eventloop_lag_p99_seconds") };
}
