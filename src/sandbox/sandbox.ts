import { type AddressInfo, isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { systemClock } from "../lib/clock.ts";
import { isLoopback } from "../lib/environment.ts";
import type { ConsoleBackend } from "./controls/backend.ts";
import { createFaults, type Faults } from "./controls/faults.ts";
import { createJournal } from "./controls/journal.ts";
import { createReceiver, type Receiver } from "./controls/receiver.ts";
import { type Picture, takePicture } from "./controls/snapshot.ts";
import { createCounters, type Stats } from "./controls/stats.ts";
import { createInitialState } from "./initial-state.ts";
import type { SandboxOptions } from "./options.ts";
import { createPairing, networkHost, ownHost, type Pairing, urlOf } from "./pairing/pairing.ts";
import { createRandomText } from "./random.ts";
import { createServer } from "./server.ts";
import { createTranscriber, type Transcriber } from "./transcripts/transcriber.ts";
import { createTurnableClock } from "./turnable-clock.ts";
import type { Breach } from "./vendor/breaches.ts";
import { RULES } from "./vendor/rules.ts";
import { scenarioNamed } from "./vendor/scenarios.ts";
import { completeOrder, type SdkReply } from "./vendor/sdk.ts";

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
  /** What it records; undefined unless asked to. */
  readonly transcriber: Transcriber | undefined;
  /** Undefined if it listens on loopback only. */
  readonly pairing: Pairing | undefined;
  /** Base URL for other machines, without a trailing slash. */
  readonly networkUrl: string;
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
  /**
   * Everything as at the start, except the clock, which only turns forward: no faults, breaches, calls or webhooks, the first
   * latency and secret; and the newest token of a caller lives again, so that its backend notices nothing.
   */
  reset(): void;
  /** The values of all remembered tokens and tickets, to search for them where they must not be. */
  issuedValues(): readonly string[];
  /** Connects the console to a backend. */
  connect(backend: ConsoleBackend): void;
}

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const text = createRandomText(options.random);
  const { host = "127.0.0.1", appId = "TIDA0001", secret = text(64), latencyMs = 0 } = options;
  const clock = options.sharedClock ?? createTurnableClock(options.clock ?? systemClock);
  const state = createInitialState({ ...options, appId, secret }, clock, text);
  const faults = createFaults();
  const counters = createCounters();
  const journal = createJournal(clock);
  const transcriber = options.record ? createTranscriber(state) : undefined;
  const pairing = isLoopback(host) ? undefined : createPairing();
  const receiver = createReceiver(Buffer.from(text(32)).toString("base64"));
  let backend: ConsoleBackend | undefined;
  let port = options.port ?? 0;
  let server: FastifyInstance | undefined;
  let stopping = new AbortController();
  let startedAt = clock.now();

  const sandbox: Sandbox = {
    async start() {
      if (server) throw new Error("the sandbox runs already");
      stopping = new AbortController();
      const parts = { state, faults, counters, journal, transcriber, receiver, sandbox };
      const current = { latencyMs: () => sandbox.latencyMs, backend: () => backend };
      // A rebound name reaches this machine's own browser on every listener: only the name that was asked for is accepted.
      const hosts = isIP(host) ? [] : [host.toLowerCase()];
      const networkUrl = () => sandbox.networkUrl;
      server = createServer({ ...parts, ...current, hosts, pairing, networkUrl, stopping: stopping.signal });
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
      return urlOf(ownHost(host), port);
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
      return takePicture(state, {
        startedAt,
        calls: journal.list(),
        faults: faults.list(),
        stats,
        latencyMs,
      });
    },
    faults,
    receiver,
    transcriber,
    pairing,
    get networkUrl() {
      return urlOf(networkHost(host), port);
    },
    latencyMs,
    now: () => clock.now(),
    advance(ms) {
      clock.advance(ms);
      transcriber?.intervened("clock");
    },
    rotate() {
      transcriber?.intervened("rotate");
      state.credentials.issueToken({ foreign: true });
    },
    revoke(code = RULES.token_dead.code) {
      if (!/^-?\d{1,10}$/.test(code)) throw new RangeError("code must be a whole number, as text");
      state.deadTokenCode = code;
      state.credentials.revokeAll();
      transcriber?.intervened("revoke");
    },
    changeSecret(next) {
      if (next.length !== 64) throw new RangeError("secret must have 64 characters");
      state.secret = next;
      state.credentials.revokeAll();
      transcriber?.intervened("secret");
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
    reset() {
      for (const part of [faults, counters, journal, transcriber, state.breaches]) part?.clear();
      receiver.reset();
      sandbox.latencyMs = latencyMs;
      state.secret = secret;
      state.deadTokenCode = RULES.token_dead.code;
      state.credentials.restore();
      startedAt = clock.now();
    },
    issuedValues: () => state.credentials.values(),
    connect(next) {
      backend = next;
    },
  };
  return sandbox;
}
