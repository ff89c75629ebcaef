import { createSecretKey } from "node:crypto";
import { deriveTimings } from "../../src/config/ticket-timings.ts";
import { Secret } from "../../src/lib/redacted.ts";
import {
  type Coordinator,
  type CoordinatorOptions,
  createCoordinator,
} from "../../src/tickets/coordinator.ts";
import type { RefreshFinished, TicketEvents } from "../../src/tickets/events.ts";
import { UNSEEN } from "../../src/tickets/processes.ts";
import type { TicketUpstream } from "../../src/tickets/refresh-calls.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import type { TicketStore } from "../../src/tickets/stores/store.ts";
import type { Machine } from "../simulation/machine.ts";
import { ProcessLife } from "../simulation/node.ts";
import { createStoreClient, StoreModel } from "../simulation/store-model.ts";
import { UpstreamModel } from "../simulation/upstream-model.ts";
import { World } from "../simulation/world.ts";

export const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * 60_000, tokenOverlapMs: 60_000 });
export const SECRET = new Secret("s".repeat(64));
export const MINUTE = 60_000;

/** One process in virtual time, and what it told. */
export interface Replica {
  coordinator: Coordinator;
  life: ProcessLife;
  told: { event: keyof TicketEvents; detail: Record<string, unknown> }[];
  /** The refreshes that ended. */
  refreshes: RefreshFinished[];
}

/**
 * Some processes, their store and their vendor in virtual time: nothing happens until `run`. On one `machine` they see
 * each other die.
 */
export function createRig(seed = 1, machine?: Machine) {
  const world = new World(seed);
  const store = new StoreModel(world);
  const upstream = new UpstreamModel(world, TIMINGS.overlapMs);
  let names = 0;

  /** The vendor's client; a test may put something else in the place of a call. */
  const client: { [Call in keyof TicketUpstream]: OmitThisParameter<TicketUpstream[Call]> } = {
    fetchAccessToken: () =>
      answer(() => {
        upstream.begin();
        world.after(20, () => upstream.end());
        return upstream.issueToken();
      }),
    fetchSignTicket: (token) => answer(() => upstream.issueTicket(token)),
  };

  /** 20 ms to the vendor and 20 back. */
  function answer<T>(handle: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      world.after(20, () => {
        try {
          const value = handle();
          world.after(20, () => resolve(value));
        } catch (error) {
          world.after(20, () => reject(error as Error));
        }
      });
    });
  }

  function replica(options: Partial<CoordinatorOptions> = {}): Replica {
    const life = new ProcessLife(world, `p${++names}`);
    const told: Replica["told"] = [];
    const refreshes: RefreshFinished[] = [];
    const tell =
      (event: keyof TicketEvents) =>
      (detail: object): void => {
        told.push({ event, detail: { ...detail } });
        if (event === "refreshFinished") refreshes.push({ ...(detail as RefreshFinished) });
      };
    const events: TicketEvents = {
      refreshFinished: tell("refreshFinished"),
      pairAdopted: tell("pairAdopted"),
      pairRejected: tell("pairRejected"),
      foreignRotation: tell("foreignRotation"),
      pairHealed: tell("pairHealed"),
      pairOrphaned: tell("pairOrphaned"),
      recordUnreadable: tell("recordUnreadable"),
      intervalDiffers: tell("intervalDiffers"),
      refresherDied: tell("refresherDied"),
      storeChanged: tell("storeChanged"),
      suspended: tell("suspended"),
      loopFailed: tell("loopFailed"),
    };
    const coordinator = createCoordinator({
      secrets: () => [SECRET],
      upstream: client,
      store: createStoreClient(world, store, life, TIMINGS.storeTimeoutMs, () => undefined),
      sealer: createSealer("app", () => [{ id: "k", key: createSecretKey(new Uint8Array(32)) }]),
      clock: life.clock,
      random: world.random,
      timings: TIMINGS,
      replica: life.name,
      refreshes: true,
      processes: machine?.join(life) ?? UNSEEN,
      events,
      ...options,
    });
    return { coordinator, life, told, refreshes };
  }

  return {
    world,
    store,
    upstream,
    client,
    replica,
    /** A process that has started. */
    started(options: Partial<CoordinatorOptions> = {}): Replica {
      const made = replica(options);
      void made.coordinator.start();
      return made;
    },
    /** A store's client for a process of its own. */
    storeClient: (life: ProcessLife): TicketStore =>
      createStoreClient(world, store, life, TIMINGS.storeTimeoutMs, () => undefined),
    /** Lets time pass. */
    run: (ms: number) => world.run(world.now + ms),
  };
}
