import { readFileSync } from "node:fs";
import { reloadOnChange } from "./config/reload.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { systemClock } from "./lib/clock.ts";
import { createService } from "./service.ts";
import { createEvents } from "./telemetry/events.ts";
import { createLogger } from "./telemetry/logger.ts";

const readFile = (path: string) => readFileSync(path, "utf8");

/** Configuration errors exit with 2 and nothing started; any other failure with 1; a drained stop with 0. */
async function main(): Promise<void> {
  const trial =
    process.argv[2] === "sandbox"
      ? await (await import("./sandbox/trial.ts")).startTrial(process.env)
      : undefined;
  const env = { ...process.env, ...trial?.environment };
  const read = (reader: typeof readFile) => ({ ...readConfig(env, reader), livemode: trial === undefined });
  let config: Config;
  try {
    config = read(readFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }

  const events = createEvents(createLogger(config.logLevel));
  const service = createService(config);
  const fail = (error: unknown) => {
    events.serviceFailed({ error });
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  stopOnSignals(config, events, async () => {
    await service.stop();
    await trial?.stop();
  });
  await service.start();
  void reloadOnChange({
    read,
    readFile,
    apply: (changed) => service.reload(changed),
    clock: systemClock,
    signal: new AbortController().signal,
    events,
  });
  if (trial) console.error(trial.instructions(service.addresses()));
}

/** How soon the same signal is taken for one: npm hands on what the terminal has already sent to everybody. */
const SAME_SIGNAL_MS = 500;

function stopOnSignals(
  { shutdownGraceMs }: Config,
  events: ReturnType<typeof createEvents>,
  stop: () => Promise<void>,
): void {
  let stoppingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (systemClock.monotonic() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = systemClock.monotonic();
    events.serviceStopping({ signal });
    void systemClock.sleep(shutdownGraceMs).then(() => process.exit(1));
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        events.serviceFailed({ error });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

await main();
