import { rm } from "node:fs/promises";
import type { Config } from "../config.ts";
import { createOrders } from "../domain/order.ts";
import { parseStoreUrl, registerName } from "../domain/store-url.ts";
import { randomBase62 } from "../lib/base62.ts";
import { type Clock, withDeadline } from "../lib/clock.ts";
import { createRedisLink } from "../redis/link.ts";
import { createNonce } from "../signing/nonce.ts";
import { createSigner } from "../signing/signer.ts";
import { createCoordinator } from "../tickets/coordinator.ts";
import { openStore, registerDirectory } from "../tickets/open-store.ts";
import { fingerprint, readPair } from "../tickets/pair.ts";
import { createProcesses } from "../tickets/processes.ts";
import { createRegister } from "../tickets/register.ts";
import { createSealer } from "../tickets/sealer.ts";
import { transition } from "../tickets/state.ts";
import { IGNORED, type TicketEvents } from "../tickets/ticket-events.ts";
import { createUpstreamClient } from "../upstream/client.ts";
import type { TokenParam } from "../upstream/dialect.ts";
import { createDispatchers } from "../upstream/dispatcher.ts";
import { unobserved } from "../upstream/observe.ts";
import { createTransport } from "../upstream/transport.ts";
import type { Patient } from "./examine.ts";
import { fetchOnce } from "./fetch-once.ts";
import { readStored } from "./stored.ts";

/** Time for one call to the vendor, milliseconds; as the service's. */
const CALL_TIMEOUT_MS = 8_000;
/** Time for one command of Redis, milliseconds. */
const ASK_MS = 3_000;

/** What the doctor examines, from the rooms of the service: the doctor's `service.ts`. Opens nothing before `connect`. */
export function admit(config: Config, clock: Clock) {
  const { appId, baseUrl, secrets, sealKeys, storeUrl, timings, edition, tokenParam } = config;
  const location = parseStoreUrl(storeUrl);
  if (typeof location === "string") throw new Error(`STORE_URL ${location}`);
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
  const store = openStore(storeUrl, { clock, appId, baseUrl, timings });
  const register = createRegister(store, clock, timings, transition);
  const openLink = () => (location.kind === "redis" ? createRedisLink({ location, clock }) : undefined);
  const redis = openLink();
  const ask = (command: string[]) =>
    withDeadline(clock, ASK_MS, async (signal) => redis?.send(scratchKey, command, signal));
  /** By a connection of its own, which is of no other use afterwards. */
  const askApart = async (command: string[]): Promise<unknown> => {
    const link = openLink();
    link?.open();
    try {
      return await withDeadline(clock, ASK_MS, async (signal) => link?.send(scratchKey, command, signal));
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
    // Without the right to delete, it ends by itself within a day.
    await ask(["DEL", scratchKey]);
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
      events: { ...IGNORED, ...events },
    });

  return {
    /** Not `open`, which would make a directory: that is the service's to do, and its user's. */
    connect: async () => {
      if (location.kind === "redis") await store.open();
      redis?.open();
    },
    close: async () => {
      await Promise.all([store.close(), redis?.close(), dispatchers.close()]);
    },
    patient: {
      config,
      clock,
      dispatcher: dispatchers.pooled,
      store: {
        location,
        register:
          location.kind === "file"
            ? registerDirectory(location.directory, registerName(appId, baseUrl))
            : undefined,
        scratch: openStore(storeUrl, { clock, appId: scratchId, baseUrl, timings }),
        removeScratch,
        redis: redis && { ask, askApart, key: `faceid:{${scratchName}}:doctor` },
        clock,
      },
      stored: () => readStored({ register, sealer, readPair }),
      secretIds: secrets.map(fingerprint),
      vendor: {
        clientWith,
        tokenParam,
        edition,
        signer: createSigner({ appId }),
        orders: createOrders(() => secrets),
        createNonce,
        now: () => clock.now(),
      },
      fetchPair: () => fetchOnce({ coordinate, store, clock, patienceMs: timings.leaseMs * 2 }),
    } satisfies Patient,
  };
}
