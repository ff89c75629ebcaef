import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Config } from "./config.ts";
import { isSamePlace } from "./store-url.ts";
import { areSameEndpoints } from "./webhooks.ts";

export interface ReloadOptions {
  /** The configuration the service was started with. */
  started: Config;
  /** Reads the whole configuration through the given file reader; throws if it is invalid. */
  read: (readFile: (path: string) => string) => Config;
  readFile: (path: string) => string;
  /** Applies what can change at run time: certificates, tokens, keys and secrets. */
  apply: (config: Config) => void;
  clock: Clock;
  /** Stops watching. */
  signal: AbortSignal;
  events: Pick<ServiceEvents, "configReloaded" | "configRejected" | "configWaits">;
}

/** Changed settings from files that take effect only at a restart. */
function restartNeeded(before: Config, after: Config): string[] {
  const changed = {
    STORE_URL: !isSamePlace(before.store, after.store),
    WEBHOOK_ENDPOINTS: !areSameEndpoints(before.webhooks, after.webhooks),
    LEDGER_URL: !isSamePlace(before.ledger?.location, after.ledger?.location),
    FORM_HMAC_KEYS: before.access.formKeys.length > 0 !== after.access.formKeys.length > 0,
  };
  return Object.entries(changed).flatMap(([name, waits]) => (waits ? [name] : []));
}

/**
 * How often files are polled, milliseconds. Not watched: platforms swap mounted secrets by symbolic links.
 */
const POLL_MS = 5_000;

/**
 * Reloads the configuration whenever a file it names has changed, such as a renewed certificate, until
 * `signal` aborts. An invalid configuration is reported once, and the previous one stays in force.
 */
export async function reloadOnChange(options: ReloadOptions): Promise<void> {
  const { started, read, readFile, apply, clock, signal, events } = options;

  /** The configuration, and the contents of all its files. */
  function load(): { contents: string; result: () => Config } {
    const contents: string[] = [];
    const recording = (path: string) => {
      const text = readFile(path);
      contents.push(`${path}\0${text}`);
      return text;
    };
    try {
      const config = read(recording);
      return { contents: contents.join("\0"), result: () => config };
    } catch (error) {
      const result = () => {
        throw error;
      };
      return { contents: `${contents.join("\0")}\0rejected`, result };
    }
  }

  let { contents } = load();
  if (contents === "") return;
  while (!signal.aborted) {
    await clock.sleep(POLL_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    const loaded = load();
    if (loaded.contents === contents) continue;
    contents = loaded.contents;
    try {
      const config = loaded.result();
      apply(config);
      events.configReloaded();
      const settings = restartNeeded(started, config);
      if (settings.length > 0) events.configWaits({ settings });
    } catch (error) {
      events.configRejected({ error });
    }
  }
}
