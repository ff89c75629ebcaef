import { readFileSync } from "node:fs";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { systemClock } from "./lib/clock.ts";
import { createService } from "./service.ts";
import { createEvents } from "./telemetry/events.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createMemoryRegister, createMemoryStore, type MemoryRegister } from "./tickets/memory-store.ts";

const readFile = (path: string) => readFileSync(path, "utf8");

/** Configuration errors exit with 2 and nothing started; any other failure with 1; a drained stop with 0. */
async function main(): Promise<void> {
  const [mode, ...args] = process.argv.slice(2);
  const trial =
    mode === "sandbox" ? await (await import("./sandbox/trial.ts")).startTrial(args, process.env) : undefined;
  if (trial?.upstreamOnly) return endOnSignals(() => trial.stop());
  let config: Config;
  try {
    const env = trial ? { ...process.env, ...trial.environment } : process.env;
    config = { ...readConfig(env, readFile), livemode: trial === undefined };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }

  const events = createEvents(createLogger(config.logLevel));
  // In memory there is no more than one holder of the store, so the console may drop what it holds.
  const register =
    trial && config.storeUrl.startsWith("memory:") ? createMemoryRegister(trial.clock) : undefined;
  const service = createService(config, {
    ...(trial && { clock: trial.clock }),
    ...(register && { store: createMemoryStore(register) }),
  });
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
  if (!trial) return;
  const { refreshIntervalMs } = config.timings;
  trial.connect(
    { refreshIntervalMs, ...(register && { dropStore: () => dropRegister(register) }) },
    service.addresses(),
  );
  console.error(trial.instructions(service.addresses()));
}

/** What a store does that loses its data: it goes on, empty. */
function dropRegister(register: MemoryRegister): void {
  register.value = undefined;
  register.writes += 1;
  for (const handle of register.handles) handle.fire();
}

/** Nothing to drain: whoever is cut off plays in a sandbox. */
function endOnSignals(stop: () => Promise<void>): void {
  const end = () => void stop().finally(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
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
