import { rm } from "node:fs/promises";
import type { Config } from "../config/config.ts";
import { registerName } from "../config/store-url.ts";
import { createPostgres } from "../database/postgres.ts";
import { createOrderNumbers } from "../domain/order-number.ts";
import { LEDGER_SCHEMA } from "../ledger/migrations.ts";
import { randomBase62 } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import { createRedisLink } from "../redis/link.ts";
import { createCoordinator } from "../tickets/coordinator.ts";
import { IGNORED_EVENTS, type TicketEvents } from "../tickets/events.ts";
import { fingerprint, readPair } from "../tickets/pair.ts";
import { createProcesses } from "../tickets/processes.ts";
import { transition } from "../tickets/protocol/transition.ts";
import { createSealer } from "../tickets/sealer.ts";
import { createSharedState } from "../tickets/shared-state.ts";
import { openStore, registerDirectory } from "../tickets/stores/open-store.ts";
import { createUpstreamClient } from "../upstream/client.ts";
import { createDispatchers } from "../upstream/connection.ts";
import type { TokenParam } from "../upstream/editions.ts";
import { unobserved } from "../upstream/observed-exchange.ts";
import { createNonce, createSigner } from "../upstream/signer.ts";
import { createTransport } from "../upstream/transport.ts";
import type { DoctorTargets } from "./examine.ts";
import { fetchOnce } from "./fetch-once.ts";
import { readStored } from "./stored.ts";

/** Timeout of one call to the vendor, milliseconds; the same as the service's. */
const CALL_TIMEOUT_MS = 8_000;
/** Timeout of one Redis command, milliseconds. */
const COMMAND_TIMEOUT_MS = 3_000;

/** The doctor's composition root, built from the service's parts. Opens nothing before `connect`. */
export function openDoctor(config: Config, clock: Clock) {
  const {
    appId,
    baseUrl,
    secrets,
    sealKeys,
    ledger,
    store: location,
    register: name,
    timings,
    edition,
    tokenParam,
  } = config;
  const dispatchers = createDispatchers({ connections: 4, proxy: config.proxy });
  const clientWith = (param: TokenParam) =>
    createUpstreamClient({
      appId,
      edition,
      tokenParam: param,
      transport: createTransport({ baseUrl, dispatchers }),
      observe: unobserved,
      tokenTimeoutMs: timings.tokenTimeoutMs,
      signTimeoutMs: timings.signTimeoutMs,
      callTimeoutMs: CALL_TIMEOUT_MS,
    });
  const sealer = createSealer(appId, () => sealKeys);
  const store = openStore(location, { clock, register: name, timings });
  const register = createSharedState(store, clock, timings, transition);
  const database =
    ledger?.location.kind === "postgres" ? createPostgres({ location: ledger.location, clock }) : undefined;
  const tables = location.kind === "postgres" ? createPostgres({ location, clock }) : undefined;
  const openLink = () => (location.kind === "redis" ? createRedisLink({ location, clock }) : undefined);
  const redis = openLink();
  const send = (command: string[]) =>
    withDeadline(clock, COMMAND_TIMEOUT_MS, async (signal) => redis?.send(scratchKey, command, signal));
  /** Uses a separate connection, which a subscription makes unusable for anything else. */
  const sendApart = async (command: string[]): Promise<unknown> => {
    const link = openLink();
    link?.open();
    try {
      return await withDeadline(clock, COMMAND_TIMEOUT_MS, async (signal) =>
        link?.send(scratchKey, command, signal),
      );
    } finally {
      await link?.close();
    }
  };

  const scratchId = `doctor${randomBase62(12)}`;
  const scratchName = registerName(scratchId, baseUrl);
  const scratchKey = `faceid:{${scratchName}}:tickets`;
  const removeScratch = async (): Promise<void> => {
    if (location.kind === "file") {
      await rm(registerDirectory(location.directory, scratchName), {
        recursive: true,
        force: true,
      });
    }
    await tables?.start();
    await tables?.run("DELETE FROM faceid_tickets WHERE register = ?", [scratchName]);
    // If the login may not delete, the key expires within a day.
    await send(["DEL", scratchKey]);
  };

  const coordinate = (events: Partial<TicketEvents>) =>
    createCoordinator({
      secrets: () => secrets,
      upstream: clientWith(tokenParam),
      store,
      sealer,
      clock,
      random: Math.random,
      timings,
      replica: scratchId,
      refreshes: true,
      processes: createProcesses(),
      events: { ...IGNORED_EVENTS, ...events },
    });

  return {
    /** Does not `open` a file store, which would create a directory: only the service, as its user, may. */
    connect: async () => {
      if (location.kind === "redis" || location.kind === "postgres") await store.open();
      redis?.open();
    },
    close: async () => {
      await Promise.all([
        store.close(),
        redis?.close(),
        database?.stop(),
        tables?.stop(),
        dispatchers.close(),
      ]);
    },
    targets: {
      config,
      clock,
      dispatcher: dispatchers.pooled,
      store: {
        location,
        register: location.kind === "file" ? registerDirectory(location.directory, name) : undefined,
        scratch: openStore(location, { clock, register: scratchName, timings }),
        removeScratch,
        redis: redis && { send, sendApart, key: `faceid:{${scratchName}}:doctor` },
        clock,
      },
      ledger: ledger && { location: ledger.location, database, schema: LEDGER_SCHEMA, clock },
      stored: () => readStored({ register, sealer, readPair }),
      secretIds: secrets.map(fingerprint),
      vendor: {
        clientWith,
        tokenParam,
        edition,
        signer: createSigner({ appId }),
        orderNumbers: createOrderNumbers(() => secrets),
        createNonce,
        now: () => clock.now(),
      },
      fetchPair: () => fetchOnce({ coordinate, store, clock, timeoutMs: timings.leaseMs * 2 }),
    } satisfies DoctorTargets,
  };
}
