import { isIP } from "node:net";
import { Secret } from "./redacted.ts";

/** Environment variables; an empty one counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Address {
  host: string;
  port: number;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Quotation marks, which a shell removes and `docker --env-file` and Kubernetes leave in the value. */
const QUOTED = /^["'\u201c\u2018]|["'\u201d\u2019]$/;

/**
 * Reads variables and collects every problem instead of stopping at the first. A failed read records the problem and
 * returns the default, so that the rest is still checked; the values are only used if `problems` is empty.
 * Problems and warnings name the variable and the rule, never the value of a secret.
 */
export function createEnvironmentReader(env: Environment, readFile: (path: string) => string) {
  const problems: string[] = [];
  /** Settings that are valid but probably mistakes. */
  const warnings: string[] = [];
  const readNames = new Set<string>();

  function raw(name: string): string | undefined {
    const value = env[name] === "" ? undefined : env[name];
    if (!readNames.has(name)) warnOfQuotes(name, value);
    readNames.add(name);
    return value;
  }

  function warnOfQuotes(name: string, value: string | undefined): void {
    if (value !== undefined && QUOTED.test(value.trim()))
      warnings.push(`${name}: begins or ends with a quotation mark, which counts as part of the value`);
  }

  function file(name: string): string | undefined {
    const path = raw(name);
    if (path === undefined) return undefined;
    try {
      const content = readFile(path);
      // A file stands for one variable, or is PEM.
      warnOfQuotes(name, content);
      return content;
    } catch (error) {
      problems.push(`${name}: cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? "error"})`);
      return undefined;
    }
  }

  function parse<T>(
    name: string,
    fallback: T,
    rule: string,
    read: (text: string) => T | undefined,
    quotable = true,
  ): T {
    const text = raw(name);
    if (text === undefined) return fallback;
    const value = read(text.trim());
    if (value === undefined)
      problems.push(`${name}: ${rule}${quotable ? `, not ${JSON.stringify(text)}` : ""}`);
    return value ?? fallback;
  }

  return {
    problems,
    warnings,
    /** The names read so far. */
    readNames,
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

    /** One of the words; the first is the default. */
    choice<T extends string>(name: string, words: readonly [T, ...T[]]): T {
      return parse<T>(name, words[0], `must be one of ${words.join(", ")}`, (text) =>
        words.find((word) => word === text),
      );
    },

    /** A duration with its unit, in milliseconds. */
    durationMs(name: string, fallback: number): number {
      return parse(name, fallback, "must be a duration such as 20m, 60s or 500ms", (text) => {
        const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
        const ms = Number(match?.[1]) * (DURATION_UNITS[match?.[2] ?? ""] ?? Number.NaN);
        return ms > 0 ? ms : undefined;
      });
    },

    /** A whole number of at least 1. */
    count(name: string, fallback: number): number {
      return parse(name, fallback, "must be a whole number above 0", (text) =>
        /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined,
      );
    },

    /** Parsed by the caller's `reader`, which returns undefined for an invalid text. */
    parsed<T>(name: string, fallback: T, rule: string, reader: (text: string) => T | undefined): T {
      return parse(name, fallback, rule, reader);
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
    address(name: string, fallback: Address): Address {
      return parse(name, fallback, "must be host:port", (text) => {
        const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
        const port = Number(match?.[3]);
        const host = match?.[1] ?? match?.[2];
        return host !== undefined && port <= 65_535 ? { host, port } : undefined;
      });
    },

    /** An http or https URL without query. */
    baseUrl(name: string, fallback: string): string {
      const read = (text: string) => {
        const url = URL.parse(text);
        const usable = url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
        return usable ? text.replace(/\/+$/, "") : undefined;
      };
      // The value is not quoted: it may contain a password.
      return parse(name, fallback, "must be an http or https URL without query", read, false);
    },

    /** `caller:token[,caller:token...]`, separated by commas or line breaks, from the variable or its file. */
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

/** Whether the host is reachable from this machine only. */
export const isLoopback = (host: string): boolean => /^(127(\.\d+){3}|\[?::1\]?|localhost)$/.test(host);

export type EnvironmentReader = ReturnType<typeof createEnvironmentReader>;
