import { readFileSync } from "node:fs";
import { type Config, ConfigError, readConfig } from "./config/config.ts";
import { reloadOnChange } from "./config/reload.ts";
import { scriptOptions } from "./lib/cli.ts";
import { systemClock } from "./lib/clock.ts";
import { createService, openTelemetry } from "./service.ts";
import { createMemoryRegister, createMemoryStore, wipeRegister } from "./tickets/stores/memory-store.ts";

const readFile = (path: string) => readFileSync(path, "utf8");

const USAGE = `npm start

Takes no options: environment variables configure the service, and a start lists those that are missing or wrong.`;

/** Exit codes: 2 for a configuration error, before anything starts; 1 for any other failure; 0 after a drained stop. */
async function main(): Promise<void> {
  const [mode, ...args] = process.argv.slice(2);
  if (mode !== "sandbox")
    scriptOptions({ args: mode === "start" ? args : process.argv.slice(2), options: {} }, USAGE, []);
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
  const telemetry = openTelemetry(config, { process: true, clock, logSink: trial?.logSink });
  const { events } = telemetry;
  const fail = (error: unknown) => {
    events.serviceFailed({ error });
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  process.on("SIGHUP", () => telemetry.reopen());
  // A memory store belongs to this process alone, so the console may wipe it.
  const register = trial && config.store.kind === "memory" ? createMemoryRegister(clock) : undefined;
  const store = register && createMemoryStore(register);
  // Like `npm run doctor`, with its own connections; loaded on demand.
  const diagnose = async () => (await import("./doctor/main.ts")).diagnose(config);
  const service = createService(config, { telemetry, clock, diagnose, ...(store && { store }) });
  stopOnSignals(
    config,
    async (signal) => {
      events.serviceStopping({ signal });
      service.drain();
      // Give load balancers time to notice; the sandbox has none.
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
    { refreshIntervalMs, ...(register && { dropStore: () => wipeRegister(register) }) },
    service.addresses(),
  );
  await trial.instruct(service.addresses());
}

/** Exits without draining: only the sandbox runs this way. */
function endOnSignals(stop: () => Promise<void>): void {
  const end = () => void stop().finally(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
}

/**
 * Window in which a repeated signal counts as one, milliseconds: npm forwards Ctrl-C, which the terminal also sends to the
 * whole process group.
 */
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
