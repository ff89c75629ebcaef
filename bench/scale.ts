import { spawn } from "node:child_process";
import { createSecretKey } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { HealthCheckRequestSchema } from "../gen/grpc/health/v1/health_pb.ts";
import { parseStoreUrl, type StoreLocation } from "../src/config/store-url.ts";
import { deriveTimings } from "../src/config/ticket-timings.ts";
import { systemClock } from "../src/lib/clock.ts";
import { Secret } from "../src/lib/redacted.ts";
import { createCoordinator } from "../src/tickets/coordinator.ts";
import { IGNORED_EVENTS, type TicketEvents } from "../src/tickets/events.ts";
import { UNSEEN } from "../src/tickets/processes.ts";
import { createSealer } from "../src/tickets/sealer.ts";
import { openStore } from "../src/tickets/stores/open-store.ts";
import { simulate } from "../test/simulation/simulation.ts";
import { grpcFrame } from "../test/support/grpc-frame.ts";
import { startRedis, stopRedis } from "../test/support/redis.ts";
import { fixed, median, quantile, spread } from "./numbers.ts";
import { startProgram, startSandbox, startService } from "./programs.ts";
import { machine, report, table } from "./report.ts";

const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * 60_000, tokenOverlapMs: 60_000 });
const SECRET = new Secret("s".repeat(64));
const READERS = 50;

/** How the figures grow with replicas, streams and connections; and how long a start takes. */
export async function scale({ rounds, write }: { rounds: number; write: boolean }): Promise<void> {
  const rows: string[][] = [];
  rows.push([
    "reads of the ticket pair, one process",
    `${fixed((await ticketReads()) / 1e6, 1)} million a second`,
  ]);
  for (const replicas of [1, 4, 32, 200, 1_000]) {
    const hours = replicas > 100 ? 1 : 3;
    const run = await simulate({ seed: 1, scenario: { name: "none" }, replicas, hours });
    const rate = `${fixed(run.tokenCallsPerHour, 2)} (${hours} h of virtual time)`;
    rows.push([`token calls an hour, ${replicas} replicas`, rate]);
  }
  const lags = await adoptionLags(rounds);
  const lag = `${fixed(median(lags), 1)} ms, p99 ${fixed(quantile(lags, 0.99), 1)} ms`;
  rows.push([`adoption of a new pair, ${READERS} readers of one Redis, median`, lag]);
  const { stream, idle } = await memory();
  rows.push(["memory for each open Health.Watch", `${fixed(stream, 1)} KiB`]);
  rows.push(["memory for each idle connection", `${fixed(idle, 1)} KiB`]);
  const { service, sandbox, bare } = await starts(rounds);
  rows.push(["start to ready, the service", `${spread(service, 0)} ms`]);
  rows.push(["start to ready, `npm run sandbox`", `${spread(sandbox, 0)} ms`]);
  rows.push(["start of a Node that does nothing, beside it", `${spread(bare, 0)} ms`]);
  const said = machine(`npm run bench -- scale --rounds ${rounds}`);
  report("scale", `${said}\n\n${table(["what", "figure"], rows)}`, write);
}

function coordinatorOn(url: string, replica: string, refreshes: boolean, events: Partial<TicketEvents>) {
  const where = { clock: systemClock, register: "TIDA0001@bench", timings: TIMINGS };
  const store = openStore(parseStoreUrl(url) as StoreLocation, where);
  let serial = 0;
  const credential = () =>
    Promise.resolve({ value: new Secret(`value${++serial}`.padEnd(64, "0")), lifeMs: 7_200_000 });
  const coordinator = createCoordinator({
    secrets: () => [SECRET],
    upstream: { fetchAccessToken: credential, fetchSignTicket: credential },
    store,
    sealer: createSealer("TIDA0001", () => [{ id: "k", key: createSecretKey(new Uint8Array(32)) }]),
    clock: systemClock,
    random: Math.random,
    timings: TIMINGS,
    replica,
    refreshes,
    processes: UNSEEN,
    events: { ...IGNORED_EVENTS, ...events },
  });
  return {
    coordinator,
    async start() {
      await store.open();
      await coordinator.start();
    },
    async stop() {
      await coordinator.stop();
      await store.close();
    },
  };
}

async function ticketReads(): Promise<number> {
  const one = coordinatorOn("memory:", "bench", true, {});
  await one.start();
  const { tickets } = one.coordinator;
  const count = 5_000_000;
  const from = performance.now();
  let generations = 0;
  for (let i = 0; i < count; i++) generations += tickets.current().generation;
  const seconds = (performance.now() - from) / 1000;
  if (generations < count) throw new Error("nothing was read");
  await one.stop();
  return count / seconds;
}

/** From the end of a forced refresh to its adoption by each reader, milliseconds. */
async function adoptionLags(rounds: number): Promise<number[]> {
  const redis = await startRedis();
  const adopted: { generation: number; at: number }[] = [];
  const refresher = coordinatorOn(redis.url, "refresher", true, {});
  await refresher.start();
  const readers = Array.from({ length: READERS }, (_, i) =>
    coordinatorOn(redis.url, `reader${i}`, false, {
      pairAdopted: ({ generation }) => adopted.push({ generation, at: performance.now() }),
    }),
  );
  await Promise.all(readers.map((reader) => reader.start()));
  const lags: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { generation } = refresher.coordinator.tickets.current();
    await refresher.coordinator.operator.forceRefresh(false, AbortSignal.timeout(60_000));
    const held = performance.now();
    const news = () => adopted.filter((one) => one.generation > generation);
    while (news().length < READERS) await systemClock.sleep(5);
    lags.push(...news().map(({ at }) => Math.max(0, at - held)));
    // Two rotations follow each other no faster than this.
    if (round + 1 < rounds) await systemClock.sleep(TIMINGS.floorMs);
  }
  await Promise.all([refresher, ...readers].map((member) => member.stop()));
  await stopRedis();
  return lags;
}

/** Resident memory of the service, KiB for each. */
async function memory(): Promise<{ stream: number; idle: number }> {
  const upstream = await startProgram("bench/upstream.ts");
  const service = await startService(upstream);
  const [streams, connections] = [2_000, 1_000];
  const message = grpcFrame(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));
  const sessions: ClientHttp2Session[] = [];
  async function watch(count: number): Promise<void> {
    const session = connectHttp2(service.grpc).on("error", () => undefined);
    sessions.push(session);
    const path = "/grpc.health.v1.Health/Watch";
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const open = Array.from({ length: count }, () => {
      const stream = session.request(headers).on("error", () => undefined);
      stream.end(message);
      return once(stream, "data");
    });
    await Promise.all(open);
  }
  await watch(100);
  const before = service.rssMiB();
  for (let i = 0; i < streams / 100; i++) await watch(100);
  const stream = ((service.rssMiB() - before) * 1024) / streams;
  for (const session of sessions) session.destroy();
  await systemClock.sleep(500);

  const fresh = await startService(upstream);
  const { hostname, port } = new URL(fresh.http);
  const sockets: Socket[] = [];
  const idleBefore = fresh.rssMiB();
  for (let i = 0; i < connections; i++) {
    const socket = connect(Number(port), hostname).on("error", () => undefined);
    sockets.push(socket);
    await once(socket, "connect");
  }
  const idle = ((fresh.rssMiB() - idleBefore) * 1024) / connections;
  for (const socket of sockets) socket.destroy();
  await Promise.all([service.stop(), fresh.stop(), upstream.stop()]);
  return { stream, idle };
}

/** Milliseconds from spawn to ready, and of a process that ends at once. */
async function starts(rounds: number) {
  const upstream = await startProgram("bench/upstream.ts");
  const took = { service: [] as number[], sandbox: [] as number[], bare: [] as number[] };
  // Not the first start after an installation: what was compiled is kept when a process ends by itself.
  await (await startService(upstream)).stop("SIGTERM");
  await (await startSandbox()).stop("SIGTERM");
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit");
    took.bare.push(performance.now() - from);
    for (const [name, start] of [
      ["service", () => startService(upstream)] as const,
      ["sandbox", startSandbox] as const,
    ]) {
      const started = await start();
      took[name].push(started.readyMs);
      await started.stop();
    }
  }
  await upstream.stop();
  return took;
}
