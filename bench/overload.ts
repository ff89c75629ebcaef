import { generate } from "./loads.ts";
import { fixed } from "./numbers.ts";
import { startProgram, startService, upstreamSeen } from "./programs.ts";
import { machine, report, table } from "./report.ts";

/** Room for few enough calls that the generator can offer ten times what they come to. */
const IN_FLIGHT = 8;
const DELAY_MS = 60;
const STEPS = [0.5, 1, 2, 5, 10];

/** More and more load up to ten times what the service has room for: goodput, and how fast the rest is refused. */
export async function overload(options: { seconds: number; write: boolean }): Promise<void> {
  const { seconds, write } = options;
  const upstream = await startProgram("bench/upstream.ts");
  const service = await startService(upstream, { LIMIT_IN_FLIGHT: String(IN_FLIGHT) });
  await upstreamSeen(upstream, DELAY_MS);
  const capacity = (IN_FLIGHT * 1000) / DELAY_MS;
  const rows: string[][] = [];
  for (const door of ["form", "json", "grpc"] as const) {
    const client = `${door} GetFaceParams` as const;
    const url = door === "grpc" ? service.grpc : service.http;
    await generate({ client, url, seconds: 1, rate: capacity / 2, connections: 32 });
    let peak = 0;
    for (const step of STEPS) {
      const made = await generate({ client, url, seconds, rate: capacity * step, connections: 64 });
      peak = Math.max(peak, made.goodput);
      const { offered, goodput, p50, p99, refusedP50, refusedP99, failed } = made;
      const times = [p50, p99, refusedP50, refusedP99].map((value) => fixed(value, 1));
      const share = `${fixed((100 * goodput) / peak)} %`;
      rows.push([door, `${step}`, fixed(offered), fixed(goodput), share, ...times, String(failed)]);
    }
  }
  const head = ["door", "times the room", "offered/s", "goodput/s", "of its peak", "p50 ms", "p99 ms"];
  const text = table([...head, "refused p50 ms", "refused p99 ms", "failed otherwise"], rows);
  const said = machine(`npm run bench -- overload --seconds ${seconds}`);
  const setting = `LIMIT_IN_FLIGHT=${IN_FLIGHT}, a vendor that answers after ${DELAY_MS} ms.`;
  report("overload", `${said} ${setting}\n\n${text}`, write);
}
