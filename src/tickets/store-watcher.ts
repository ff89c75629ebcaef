import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import { readPair } from "./pair.ts";
import type { OpenedPair, PairCache } from "./pair-cache.ts";
import { OBSTACLES, type ReplicaFacts } from "./protocol/refresh-reason.ts";
import type { SealedPair } from "./protocol/state.ts";
import type { Sealer } from "./sealer.ts";
import type { SharedState, StateView } from "./shared-state.ts";
import type { StoreHealth } from "./stores/store-health.ts";

export interface StoreWatcherOptions {
  sharedState: SharedState;
  cache: PairCache;
  sealer: Sealer;
  clock: Clock;
  health: StoreHealth;
  events: TicketEvents;
  timings: Pick<TicketTimings, "refreshIntervalMs" | "floorMs">;
}

/** Maximum life of a pair: that of its SIGN ticket (protocol.md 2), milliseconds. */
const PAIR_LIFE_MS = 60 * 60_000;

/** Polls the store: adopts newer pairs and restores one that the store lost. */
export function createStoreWatcher({
  sharedState,
  cache,
  sealer,
  clock,
  health,
  events,
  timings,
}: StoreWatcherOptions) {
  let polledAt = clock.monotonic();
  /** The published pair that cannot be used, and why. */
  let unreadable: { record: string; why: Exclude<ReplicaFacts["opened"], "ok" | undefined> } | undefined;
  let flaw: StateView["flaw"];
  let last: StateView | undefined;
  /** REFRESH_INTERVALs that need no report (any more), milliseconds. */
  const knownIntervals = new Set([timings.refreshIntervalMs]);

  /** Whether the store's clock went back behind a commit, whose age is unknown then. */
  const isOfFuture = (at: number, now: number) => at - now > timings.floorMs;

  function adopt(candidate: OpenedPair): void {
    if (!cache.adopt(candidate)) return;
    events.pairAdopted({ generation: candidate.generation, own: candidate.own, lagMs: candidate.ageMs });
  }

  /** Reported once, though every poll tries again: the key ring may have been reloaded by then. */
  function reject(record: string, why: Exclude<ReplicaFacts["opened"], "ok" | undefined>): void {
    const known = unreadable?.record === record && unreadable.why === why;
    unreadable = { record, why };
    if (!known) events.recordUnreadable({ why });
  }

  function adoptPublished({ generation, sealed, at }: SealedPair, { now, requestedAt }: StateView): void {
    if ((cache.latest?.pair.generation ?? 0) >= generation) return;
    const opened = sealer.open(sealed, { generation, kind: "pair" });
    const issued = opened.ok ? readPair(opened.plain) : undefined;
    if (!issued) return reject(sealed, opened.ok ? "format" : opened.why);
    // A pair of unknown age is used and due at once, as after a reboot of a machine whose clock was set back.
    const minAgeMs = isOfFuture(at, now) ? timings.refreshIntervalMs : 0;
    const since = (time: number) => Math.max(minAgeMs, now - time);
    const ages = {
      ageMs: since(at),
      tokenAgeMs: since(issued.issuedAt),
      signAgeMs: since(issued.signIssuedAt),
    };
    const candidate = { generation, sealed, issued, ...ages, asOf: requestedAt, own: false };
    // Never trade a working pair for one that merely looks expired: the store's clock may have jumped.
    unreadable = cache.isOver(candidate) ? { record: sealed, why: "expired" } : undefined;
    if (!unreadable) adopt(candidate);
  }

  /** Processes with different intervals all work, but not as any operator intended. */
  function compareInterval(theirs: number | undefined): void {
    if (theirs === undefined || knownIntervals.has(theirs)) return;
    knownIntervals.add(theirs);
    events.intervalDiffers({ oursMs: timings.refreshIntervalMs, theirsMs: theirs });
  }

  /** Restores the newest pair to a store that lost data. */
  async function heal(view: StateView): Promise<void> {
    const { latest } = cache;
    const { published } = view.state;
    if (!latest || !cache.isUsable() || latest.pair.generation <= (published?.generation ?? 0)) return;
    const { generation } = latest.pair;
    const at = Math.floor(view.now - (clock.monotonic() - latest.bornAt));
    const { status } = await sharedState.apply({ kind: "heal", generation, sealed: latest.sealed, at });
    if (status === "ok") events.pairHealed({ generation });
  }

  return {
    adopt,

    /** The current state; undefined if the store is unreachable. `mayHeal`: no refresh of ours is about to commit. */
    async poll(mayHeal: boolean): Promise<StateView | undefined> {
      try {
        const view = await sharedState.read();
        await health.readSucceeded();
        last = view;
        if (view.flaw && view.flaw !== flaw) events.recordUnreadable({ why: view.flaw });
        flaw = view.flaw;
        compareInterval(view.state.intervalMs);
        if (view.state.published) adoptPublished(view.state.published, view);
        if (mayHeal && view.flaw !== "newer") await heal(view);
        return view;
      } catch (error) {
        health.failed(error);
        return undefined;
      } finally {
        polledAt = clock.monotonic();
      }
    },

    /** The replica's input to `refreshReason`. */
    facts({ state, now }: StateView): ReplicaFacts {
      const { published } = state;
      const { latest } = cache;
      const current = latest && latest.pair.generation >= (published?.generation ?? 0);
      const unknownAge = published !== undefined && isOfFuture(published.at, now);
      return {
        opened: published && (current ? "ok" : (unreadable?.why ?? "ok")),
        usable: cache.isUsable(),
        // The larger of what the two clocks say.
        ageMs: Math.max(current ? cache.ageMs() : 0, published ? now - published.at : 0),
        dueMs: latest && !unknownAge ? latest.dueAt - latest.bornAt : 0,
        lifeMs: PAIR_LIFE_MS,
      };
    },

    get storeUp() {
      return health.isUp === true;
    },

    /** Why the published pair is not the cached one, in words; undefined if nothing is wrong. */
    get obstacle(): string | undefined {
      if (flaw) return OBSTACLES[flaw];
      const newer = (last?.state.published?.generation ?? 0) > (cache.latest?.pair.generation ?? 0);
      return newer && unreadable ? OBSTACLES[unreadable.why] : undefined;
    },

    /** The last successful read of the store. */
    get view() {
      return last;
    },

    /** Time since the last poll ended, successful or not, milliseconds. */
    silentMs: () => clock.monotonic() - polledAt,
  };
}

export type StoreWatcher = ReturnType<typeof createStoreWatcher>;
