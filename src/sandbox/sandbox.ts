import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { systemClock } from "../lib/clock.ts";
import { isLoopback } from "../lib/environment.ts";
import type { ConsoleBackend } from "./controls/backend.ts";
import { createFaults, type Faults } from "./controls/faults.ts";
import { createJournal } from "./controls/journal.ts";
import { createReceiver, type Receiver } from "./controls/receiver.ts";
import { type Picture, takePicture } from "./controls/snapshot.ts";
import { createCounters, type Stats } from "./controls/stats.ts";
import type { SandboxOptions } from "./options.ts";
import { createRandomText } from "./random.ts";
import { createServer } from "./server.ts";
import { createTurnableClock } from "./turnable-clock.ts";
import type { Breach } from "./vendor/breaches.ts";
import { EDITIONS } from "./vendor/orders.ts";
import { RULES } from "./vendor/rules.ts";
import { scenarioNamed } from "./vendor/scenarios.ts";
import { completeOrder, type SdkReply } from "./vendor/sdk.ts";
import { createState } from "./vendor/state.ts";

/** A simulated upstream: the vendor's hosts and the App SDK, faithful in timing as well as in format. */
export interface Sandbox {
  start(): Promise<void>;
  /** Closes all connections and returns promptly. A later `start` continues with the same state and port. */
  stop(): Promise<void>;
  /** Base URL without a trailing slash; throws before `start`. */
  readonly url: string;
  readonly appId: string;
  readonly secret: string;
  /** Oldest first; the same array for the sandbox's lifetime. */
  readonly breaches: readonly Breach[];
  /** A snapshot. */
  readonly stats: Stats;
  /** A snapshot of everything the console shows. */
  readonly picture: Picture;
  readonly faults: Faults;
  /** Where a service under trial sends its webhooks. */
  readonly receiver: Receiver;
  /** Latency of every call, milliseconds; may be changed at run time. */
  latencyMs: number;
  /** Sandbox time, milliseconds since the Unix epoch. */
  now(): number;
  /** Turns the sandbox clock forward. */
  advance(ms: number): void;
  /** A foreign rotation: issues a token no caller gets, so that the current one dies after the overlap. */
  rotate(): void;
  /** Kills every token and ticket; from now on dead tokens are refused with `code`, 400103 by default. */
  revoke(code?: string): void;
  /** Sets a new secret; every token and ticket of the old one dies immediately (protocol.md 1). */
  changeSecret(secret: string): void;
  /** Completes an order without a launch, by default as its ID number says. Throws if either is unknown. */
  complete(orderNo: string, outcome?: string): SdkReply["json"];
  clearBreaches(): void;
  /** The values of all remembered tokens and tickets, to search for them where they must not be. */
  issuedValues(): readonly string[];
  /** Connects the console to a backend. */
  connect(backend: ConsoleBackend): void;
}

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const text = createRandomText(options.random);
  const { host = "127.0.0.1", appId = "TIDA0001", secret = text(64), editions = EDITIONS } = options;
  if (appId.length !== 8) throw new RangeError("appId must have 8 characters");
  if (secret.length !== 64) throw new RangeError("secret must have 64 characters");
  const clock = options.sharedClock ?? createTurnableClock(options.clock ?? systemClock);
  const state = createState({
    appId,
    secret,
    editions,
    tokenParam: options.tokenParam,
    clock,
    text,
    answers: options.answers ?? "captured",
    strict: options.strict ?? true,
    lifetimes: {
      overlapMs: options.overlapMs ?? 60_000,
      tokenLifeMs: options.tokenLifeMs ?? 7_200_000,
      ticketLifeMs: options.ticketLifeMs ?? 3_600_000,
      nonceLifeMs: options.nonceLifeMs ?? 120_000,
      nonceIntervalMs: options.nonceIntervalMs ?? 2000,
      faceIdLifeMs: options.faceIdLifeMs ?? 300_000,
      recordLifeMs: options.recordLifeMs ?? 3 * 86_400_000,
    },
  });
  const faults = createFaults();
  const counters = createCounters();
  const journal = createJournal(clock);
  const receiver = createReceiver(Buffer.from(text(32)).toString("base64"));
  let backend: ConsoleBackend | undefined;
  let port = options.port ?? 0;
  let server: FastifyInstance | undefined;
  let stopping = new AbortController();

  const sandbox: Sandbox = {
    async start() {
      if (server) throw new Error("the sandbox runs already");
      stopping = new AbortController();
      const parts = { state, faults, counters, journal, receiver, sandbox };
      const current = { latencyMs: () => sandbox.latencyMs, backend: () => backend };
      // Host names are checked on loopback only: other machines may know this one by any name.
      const hosts = isLoopback(host) ? [] : "any";
      server = createServer({ ...parts, ...current, hosts, stopping: stopping.signal });
      await server.listen({ host, port });
      port = (server.server.address() as AddressInfo).port;
    },
    async stop() {
      stopping.abort(new Error("the sandbox stops"));
      const running = server;
      server = undefined;
      await running?.close();
    },
    get url() {
      if (port === 0) throw new Error("the sandbox has no address before its start");
      return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
    },
    appId,
    get secret() {
      return state.secret;
    },
    breaches: state.breaches.list,
    get stats() {
      return counters.read(state.credentials.currentToken()?.generation ?? 0);
    },
    get picture() {
      const { stats, latencyMs } = sandbox;
      return takePicture(state, { calls: journal.list(), faults: faults.list(), stats, latencyMs });
    },
    faults,
    receiver,
    latencyMs: options.latencyMs ?? 0,
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    rotate() {
      state.credentials.issueToken({ foreign: true });
    },
    revoke(code = RULES.token_dead.code) {
      if (!/^-?\d{1,10}$/.test(code)) throw new RangeError("code must be a whole number, as text");
      state.deadTokenCode = code;
      state.credentials.revokeAll();
    },
    changeSecret(next) {
      if (next.length !== 64) throw new RangeError("secret must have 64 characters");
      state.secret = next;
      state.credentials.revokeAll();
    },
    complete(orderNo, outcome) {
      const order = state.orders.byNumber(orderNo);
      const scenario = outcome === undefined ? order?.scenario : scenarioNamed(outcome);
      if (!order) throw new RangeError("no such order");
      if (scenario?.at !== "query")
        throw new RangeError("no such outcome; GET /sandbox/scenarios lists them");
      return completeOrder(order, scenario, state).json;
    },
    clearBreaches: () => state.breaches.clear(),
    issuedValues: () => state.credentials.values(),
    connect(next) {
      backend = next;
    },
  };
  return sandbox;
}
