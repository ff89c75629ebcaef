import { isLive, parseHosts } from "../domain/livemode.ts";
import type { SealKey } from "../domain/seal-keys.ts";
import { type Address, createEnvironmentReader, type Environment, isLoopback } from "../lib/environment.ts";
import type { Secret } from "../lib/redacted.ts";
import { type AccessConfig, clearText, openDoors, readAccess } from "./access.ts";
import { type LedgerConfig, readLedger } from "./ledger.ts";
import { exposedReturnUrl, type LinksConfig, readLinks } from "./links.ts";
import { type ProxyConfig, readProxy } from "./proxy.ts";
import { type Rate, readRates } from "./rates.ts";
import { readSealKeys, readSecrets } from "./secrets.ts";
import { readStore, registerName, type StoreLocation } from "./store-url.ts";
import { strayNames } from "./stray-names.ts";
import { deriveTimings, type TicketTimings, timingProblems } from "./ticket-timings.ts";
import { readTraces, type TraceSettings } from "./tracing.ts";
import { exposedUrl, readWebhooks, type WebhookEndpoint } from "./webhooks.ts";

/** Everything that can be configured (README, "Configuration"); units are in the names. */
export interface Config {
  appId: string;
  /** The current secret and, while it is being rotated, the next one. */
  secrets: readonly [Secret, ...Secret[]];
  baseUrl: string;
  edition: "basic" | "enhanced" | "plus";
  tokenParam: "app_id" | "appId";
  licence: string;
  /** How names are sent to the vendor: in the form on the ID card, or as typed. */
  names: "card" | "typed";
  /** Whether the configured host is the vendor's, or one listed as live. */
  livemode: boolean;
  http: Address;
  grpc: Address;
  admin: Address;
  /** Host names the admin listener accepts in `Host` in addition to addresses and `localhost`. */
  adminHosts: readonly string[] | "any";
  /** Where the tickets are stored, and the name of this app's register there. */
  store: StoreLocation;
  register: string;
  /** Where orders are stored; undefined if nowhere. */
  ledger: LedgerConfig | undefined;
  /** Keys that seal stored pairs: those of STORE_KEYS, or derived from the secrets. */
  sealKeys: readonly SealKey[];
  role: "all" | "serve" | "refresh";
  timings: TicketTimings;
  access: AccessConfig;
  webhooks: readonly WebhookEndpoint[];
  /** Verification links; undefined if browsers cannot reach this service. */
  links: LinksConfig | undefined;
  limits: LimitsConfig;
  /** Memory limits for request bodies and unread responses, each per process, bytes. */
  buffers: { received: number; unread: number };
  proxy: ProxyConfig | undefined;
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  /** How long an idle HTTP/1 connection is kept open; must exceed the load balancer's own idle timeout. */
  keepAliveMs: number;
  shutdownGraceMs: number;
  /** How long the doors stay open once the service reports that it is not ready. */
  shutdownDelayMs: number;
  /** A file, `stderr`, or undefined for no audit trail. */
  auditLog: string | undefined;
  /** Tracing as requested by OpenTelemetry's standard variables; undefined if they request none. */
  traces: TraceSettings | undefined;
  /** Settings that are probably mistakes; the service still runs. */
  warnings: readonly string[];
}

/** Rate and concurrency limits; an empty list means unlimited. */
export interface LimitsConfig {
  perCaller: readonly Rate[];
  perIp: readonly Rate[];
  perPerson: readonly Rate[];
  /** Max concurrent calls in this process. */
  inFlight: number;
}

const MIB = 1024 * 1024;

/** Thrown for an invalid environment; the message lists every problem and then every warning. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  readonly warnings: readonly string[];

  constructor(problems: readonly string[], warnings: readonly string[] = []) {
    const list = (title: string, entries: readonly string[]) =>
      entries.length === 0 ? [] : [`${title}:`, ...entries.map((entry) => `  ${entry}`)];
    super(
      [
        ...list(`the configuration has ${problems.length} problem(s)`, problems),
        ...list("probably not meant", warnings),
      ].join("\n"),
    );
    this.problems = problems;
    this.warnings = warnings;
  }
}

/** Reads and validates the environment. Throws ConfigError with all problems, also those between values. */
export function readConfig(env: Environment, readFile: (path: string) => string): Config {
  const read = createEnvironmentReader(env, readFile);
  const { problems } = read;

  const appId = read.text("FACEID_APP_ID") ?? "";
  if (!/^[0-9A-Za-z]{1,32}$/.test(appId))
    problems.push("FACEID_APP_ID: must be set to the WBappid, letters and digits");
  const secrets = readSecrets(read);

  const refreshIntervalMs = read.durationMs("REFRESH_INTERVAL", 20 * 60_000);
  const tokenOverlapMs = read.durationMs("TOKEN_OVERLAP", 60_000);
  const timings = deriveTimings({ refreshIntervalMs, tokenOverlapMs });
  for (const problem of timingProblems(timings)) problems.push(`REFRESH_INTERVAL, TOKEN_OVERLAP: ${problem}`);

  const store = readStore(read);
  const role = read.choice("ROLE", ["all", "serve", "refresh"]);
  if (role !== "all" && store.kind === "memory") {
    problems.push(`ROLE: ${role} needs a store that another process shares; STORE_URL is memory:`);
  }

  const baseUrl = read.baseUrl("FACEID_BASE_URL", "https://kyc1.qcloud.com");
  const hostsRule = "must be host names separated by commas";
  const liveHosts = read.parsed<readonly string[]>("FACEID_LIVE_HOSTS", [], hostsRule, parseHosts);

  const config: Config = {
    appId,
    secrets,
    baseUrl,
    edition: read.choice("FACEID_EDITION", ["enhanced", "basic", "plus"]),
    tokenParam: read.choice("FACEID_TOKEN_PARAM", ["app_id", "appId"]),
    licence: read.text("FACEID_LICENCE") ?? "",
    names: read.choice("FACEID_NAMES", ["card", "typed"]),
    livemode: isLive(baseUrl, liveHosts),
    http: read.address("HTTP_ADDR", { host: "127.0.0.1", port: 8080 }),
    grpc: read.address("GRPC_ADDR", { host: "127.0.0.1", port: 50_051 }),
    admin: read.address("ADMIN_ADDR", { host: "127.0.0.1", port: 9090 }),
    adminHosts: "any",
    store,
    register: registerName(appId, baseUrl),
    ledger: readLedger(read),
    sealKeys: readSealKeys(read, secrets),
    role,
    timings,
    access: readAccess(read),
    webhooks: readWebhooks(read),
    links: readLinks(read),
    limits: {
      perCaller: readRates(read, "LIMIT_PER_CALLER"),
      perIp: readRates(read, "LIMIT_PER_IP"),
      perPerson: readRates(read, "LIMIT_PER_PERSON"),
      inFlight: read.count("LIMIT_IN_FLIGHT", 1_000),
    },
    buffers: {
      received: read.count("LIMIT_RECEIVED_MIB", 64) * MIB,
      unread: read.count("LIMIT_UNREAD_MIB", 64) * MIB,
    },
    proxy: readProxy(read),
    logLevel: read.choice("LOG_LEVEL", ["info", "trace", "debug", "warn", "error", "fatal", "silent"]),
    keepAliveMs: read.durationMs("KEEP_ALIVE_TIMEOUT", 72_000),
    shutdownGraceMs: read.durationMs("SHUTDOWN_GRACE", 10_000),
    shutdownDelayMs: read.durationMs("SHUTDOWN_DELAY", 1_000),
    auditLog: read.text("AUDIT_LOG"),
    traces: readTraces(read),
    warnings: read.warnings,
  };

  // DNS rebinding reaches only what the visitor's machine does, and beyond loopback valid names are unknown.
  if (read.has("ADMIN_HOSTS") || isLoopback(config.admin.host))
    config.adminHosts = read.hostNames("ADMIN_HOSTS");

  const allowed = read.text("ALLOW_INSECURE")?.split(/\s*,\s*/) ?? [];
  if (!allowed.includes("1")) {
    problems.push(...openDoors({ ...config, serves: role !== "refresh" }, config.access, allowed));
    const urls = { FACEID_BASE_URL: config.baseUrl, JWT_JWKS_URL: config.access.jwt?.jwksUrl };
    const links = { PUBLIC_URL: config.links?.publicUrl, LINK_RETURN_URLS: exposedReturnUrl(config.links) };
    const webhooks = { WEBHOOK_ENDPOINTS: exposedUrl(config.webhooks) };
    problems.push(...clearText({ ...urls, ...webhooks, ...links }, allowed));
  }
  if (config.shutdownDelayMs + 1_000 > config.shutdownGraceMs) {
    problems.push("SHUTDOWN_DELAY: must leave at least a second of SHUTDOWN_GRACE");
  }
  read.warnings.push(...strayNames(env, read.readNames));
  if (problems.length > 0) throw new ConfigError(problems, read.warnings);
  return config;
}
