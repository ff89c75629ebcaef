import { isIP } from "node:net";
import { Secret } from "./redacted.ts";

/** Environment variables as given; an empty one counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Address {
  host: string;
  port: number;
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** What `docker --env-file` and Kubernetes leave in a value, and a shell does not. */
const QUOTED = /^["'\u201c\u2018]|["'\u201d\u2019]$/;

/**
 * Reads variables and gathers every problem instead of stopping at the first. A read that fails notes the problem and
 * returns the default, so that the rest is still checked; nobody uses the values when `problems` is not empty.
 * Problems and warnings name the variable and the rule, never the value of a secret.
 */
export function createEnvironmentReader(env: Environment, readFile: (path: string) => string) {
  const problems: string[] = [];
  /** What can be lived with, and is probably not meant. */
  const warnings: string[] = [];
  const asked = new Set<string>();

  function raw(name: string): string | undefined {
    const value = env[name] === "" ? undefined : env[name];
    if (!asked.has(name)) lookAtQuotes(name, value);
    asked.add(name);
    return value;
  }

  function lookAtQuotes(name: string, value: string | undefined): void {
    if (value !== undefined && QUOTED.test(value.trim()))
      warnings.push(`${name}: begins or ends with a quotation mark, which counts as part of the value`);
  }

  function file(name: string): string | undefined {
    const path = raw(name);
    if (path === undefined) return undefined;
    try {
      const content = readFile(path);
      // As the one variable that it stands for; other files are PEM.
      lookAtQuotes(name, content);
      return content;
    } catch (error) {
      problems.push(`${name}: cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? "error"})`);
      return undefined;
    }
  }

  function parse<T>(
    name: string,
    otherwise: T,
    rule: string,
    read: (text: string) => T | undefined,
    quotable = true,
  ): T {
    const text = raw(name);
    if (text === undefined) return otherwise;
    const value = read(text.trim());
    if (value === undefined)
      problems.push(`${name}: ${rule}${quotable ? `, not ${JSON.stringify(text)}` : ""}`);
    return value ?? otherwise;
  }

  return {
    problems,
    warnings,
    /** Every name that was read so far. */
    asked,
    file,
    text: (name: string) => raw(name)?.trim(),
    has: (name: string) => raw(name) !== undefined,

    /** The variable, or the content of the file that `NAME_FILE` names; both at once are a problem. */
    secretText(name: string): string | undefined {
      const [value, path] = [raw(name), raw(`${name}_FILE`)];
      if (value !== undefined && path !== undefined) {
        problems.push(`${name}: give either ${name} or ${name}_FILE, not both`);
      }
      return (value ?? file(`${name}_FILE`))?.trim() || undefined;
    },

    /** One of the words. */
    choice<T extends string>(name: string, words: readonly [T, ...T[]]): T {
      return parse<T>(name, words[0], `must be one of ${words.join(", ")}`, (text) =>
        words.find((word) => word === text),
      );
    },

    /** A duration with its unit, in milliseconds. */
    durationMs(name: string, otherwise: number): number {
      return parse(name, otherwise, "must be a duration such as 20m, 60s or 500ms", (text) => {
        const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
        const ms = Number(match?.[1]) * (DURATION_UNITS[match?.[2] ?? ""] ?? Number.NaN);
        return ms > 0 ? ms : undefined;
      });
    },

    /** A whole number of at least 1. */
    count(name: string, otherwise: number): number {
      return parse(name, otherwise, "must be a whole number above 0", (text) =>
        /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined,
      );
    },

    /** Read by a function of the caller's, which returns undefined for what it cannot read. */
    parsed<T>(name: string, otherwise: T, rule: string, reader: (text: string) => T | undefined): T {
      return parse(name, otherwise, rule, reader);
    },

    /** IP addresses and networks such as `10.0.0.0/8`, separated by commas. */
    networks(name: string): readonly string[] {
      return parse<readonly string[]>(name, [], "must be IP addresses or networks", (text) => {
        const networks = text.split(",").map((network) => network.trim());
        return networks.every(isNetwork) ? networks : undefined;
      });
    },

    /** Host names separated by commas, in lower case. */
    hostNames(name: string): readonly string[] {
      return parse<readonly string[]>(name, [], "must be host names without port", (text) => {
        const names = text.toLowerCase().split(/\s*,\s*/);
        return names.every((host) => /^[a-z0-9_]([a-z0-9._-]{0,252})$/.test(host)) ? names : undefined;
      });
    },

    /** Origins such as `https://app.example`, separated by commas (RFC 6454). */
    origins(name: string): readonly string[] {
      return parse<readonly string[]>(name, [], "must be origins such as https://app.example", (text) => {
        const origins = text.split(/\s*,\s*/);
        return origins.every((origin) => URL.parse(origin)?.origin === origin) ? origins : undefined;
      });
    },

    /** `host:port` or `[IPv6]:port`; port 0 picks one. */
    address(name: string, otherwise: Address): Address {
      return parse(name, otherwise, "must be host:port", (text) => {
        const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
        const port = Number(match?.[3]);
        const host = match?.[1] ?? match?.[2];
        return host !== undefined && port <= 65_535 ? { host, port } : undefined;
      });
    },

    /** An http or https URL without query. */
    baseUrl(name: string, otherwise: string): string {
      const read = (text: string) => {
        const url = URL.parse(text);
        const usable = url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
        return usable ? text.replace(/\/+$/, "") : undefined;
      };
      // Not quoted: there may be a password in it.
      return parse(name, otherwise, "must be an http or https URL without query", read, false);
    },

    /** `caller:token[,caller:token...]`, from the variable or its file. */
    bearerTokens(name: string): { caller: string; token: Secret }[] {
      const tokens = [];
      for (const [i, entry] of (this.secretText(name)?.split(/[,\n]/) ?? []).entries()) {
        const match = /^([0-9A-Za-z._-]{1,64}):(\S{16,})$/.exec(entry.trim());
        if (match?.[1] && match[2]) tokens.push({ caller: match[1], token: new Secret(match[2]) });
        else
          problems.push(
            `${name}: entry ${i + 1} must be caller:token with a token of at least 16 characters`,
          );
      }
      return tokens;
    },
  };
}

function isNetwork(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const width = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1;
  return (
    more.length === 0 && (bits === undefined ? width > 0 : /^\d{1,3}$/.test(bits) && Number(bits) <= width)
  );
}

/** Whether only this machine can reach the host. */
export const isLoopback = (host: string): boolean => /^(127(\.\d+){3}|\[?::1\]?|localhost)$/.test(host);

export type EnvironmentReader = ReturnType<typeof createEnvironmentReader>;
