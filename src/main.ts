import { readFileSync } from "node:fs";
import { type Config, ConfigError, readConfig } from "./config/config.ts";
import { reloadOnChange } from "./config/reload.ts";
import { systemClock } from "./lib/clock.ts";
import { createService, openTelemetry } from "./service.ts";
import {
  createMemoryRegister,
  createMemoryStore,
  type MemoryRegister,
} from "./tickets/stores/memory-store.ts";

const readFile = (path: string) => readFileSync(path, "utf8");

/** Configuration errors exit with 2 and nothing started; any other failure with 1; a drained stop with 0. */
async function main(): Promise<void> {
  const [mode, ...args] = process.argv.slice(2);
  const trial =
    mode === "sandbox" ? await (await import("./sandbox/trial.ts")).startTrial(args, process.env) : undefined;
  if (trial?.upstreamOnly) return endOnSignals(() => trial.stop());
  const env = { ...process.env, ...trial?.environment };
  const read = (reader: typeof readFile) => readConfig(env, reader);
  let config: Config;
  try {
    config = read(readFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(2);
  }

  const clock = trial?.clock ?? systemClock;
  const telemetry = openTelemetry(config, { process: true, clock });
  const { events } = telemetry;
  const fail = (error: unknown) => {
    events.serviceFailed({ error });
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("SIGHUP", () => telemetry.reopen());
  // In memory there is no more than one holder of the store, so the console may drop what it holds.
  const register = trial && config.store.kind === "memory" ? createMemoryRegister(clock) : undefined;
  const store = register && createMemoryStore(register);
  // As `npm run doctor` would, with connections of its own; loaded when somebody asks.
  const diagnose = async () => (await import("./doctor/main.ts")).diagnose(config);
  const service = createService(config, { telemetry, clock, diagnose, ...(store && { store }) });
  stopOnSignals(
    config,
    async (signal) => {
      events.serviceStopping({ signal });
      service.drain();
      // Whoever sends calls here needs a moment to see it. Nobody does in the sandbox.
      if (!trial) await systemClock.sleep(config.shutdownDelayMs);
      await service.stop();
      await trial?.stop();
      await telemetry.flush();
    },
    fail,
  );
  await service.start();
  void reloadOnChange({
    started: config,
    read,
    readFile,
    apply: (changed) => service.reload(changed),
    clock: systemClock,
    signal: new AbortController().signal,
    events,
  });
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

/** Stops at the first signal, within SHUTDOWN_GRACE; exits at once at the second. */
function stopOnSignals(
  { shutdownGraceMs }: Config,
  stop: (signal: NodeJS.Signals) => Promise<void>,
  fail: (error: unknown) => void,
): void {
  let stoppingSince: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (systemClock.monotonic() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = systemClock.monotonic();
    void systemClock.sleep(shutdownGraceMs).then(() => process.exit(1));
    stop(signal).then(() => process.exit(0), fail);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

await main();
