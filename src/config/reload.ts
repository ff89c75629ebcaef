import type { Clock } from "../lib/clock.ts";
import type { Config } from "./config.ts";
import { isSamePlace } from "./store-url.ts";

export interface ReloadOptions {
  /** What the service was started with. */
  started: Config;
  /** Reads the whole configuration, with the given way to read a file; throws for one that cannot be used. */
  read: (readFile: (path: string) => string) => Config;
  readFile: (path: string) => string;
  /** Takes up what can be changed while the service runs: certificates, tokens, keys and secrets. */
  apply: (config: Config) => void;
  clock: Clock;
  /** Ends it. */
  signal: AbortSignal;
  events: {
    configReloaded(): void;
    configRejected(event: { error: unknown }): void;
    /** Settings that have changed and hold from the next start on. */
    configWaits(event: { settings: readonly string[] }): void;
  };
}

/** Settings from files that differ in a way that only a start takes up. */
function waiting(before: Config, after: Config): string[] {
  const changed = {
    STORE_URL: !isSamePlace(before.store, after.store),
    FORM_HMAC_KEYS: before.access.formKeys.length > 0 !== after.access.formKeys.length > 0,
  };
  return Object.entries(changed).flatMap(([name, waits]) => (waits ? [name] : []));
}

/** How often files are looked at, milliseconds. Not watched: secrets that a platform mounts are exchanged by symbolic links. */
const LOOK_MS = 5_000;

/**
 * Reads the configuration again when a file has changed that it names, such as a renewed certificate, for as long as the
 * process lives. A configuration that cannot be used is told once, and the one before stays in force.
 */
export async function reloadOnChange(options: ReloadOptions): Promise<void> {
  const { started, read, readFile, apply, clock, signal, events } = options;

  /** The configuration, and all its files had in them. */
  function look(): { contents: string; result: () => Config } {
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

  let { contents } = look();
  if (contents === "") return;
  while (!signal.aborted) {
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    const seen = look();
    if (seen.contents === contents) continue;
    contents = seen.contents;
    try {
      const config = seen.result();
      apply(config);
      events.configReloaded();
      const settings = waiting(started, config);
      if (settings.length > 0) events.configWaits({ settings });
    } catch (error) {
      events.configRejected({ error });
    }
  }
}
