import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

const LOGGER = join(import.meta.dirname, "../../src/telemetry/logger.ts");

/** A process that logs to its standard output, and then does `next`. */
function logging(next: string) {
  const script = `
    import { createLogger } from ${JSON.stringify(LOGGER)};
    const logger = createLogger({ level: "info", traceId: () => "t1" });
    logger.info({ event: "happened" }, "said");
    ${next}`;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function firstLine(child: ReturnType<typeof logging>): Promise<unknown> {
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return JSON.parse(line);
}

const said = { level: "info", event: "happened", trace_id: "t1", msg: "said", time: expect.any(String) };

test("a single log line is written promptly", async () => {
  const child = logging("setInterval(() => undefined, 60_000);");
  expect(await firstLine(child)).toEqual(said);
  child.kill("SIGKILL");
});

test("a process that exits, also by process.exit, has written every log line", async () => {
  expect(await firstLine(logging("process.exit(1);"))).toEqual(said);
  expect(await firstLine(logging(""))).toEqual(said);
});
