import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import { readPair } from "./pair.ts";
import type { OpenedPair, PairCache } from "./pair-cache.ts";
import { OBSTACLES, type ReplicaFacts } from "./protocol/refresh-reason.ts";
import type { SealedPair } from "./protocol/state.ts";
import type { Sealer } from "./sealer.ts";
import type { SharedState, StateView } from "./shared-state.ts";
import type { StoreHealth } from "./store-health.ts";

export interface StoreWatcherOptions {
  sharedState: SharedState;
  cache: PairCache;
  sealer: Sealer;
  clock: Clock;
  health: StoreHealth;
  events: TicketEvents;
  timings: Pick<TicketTimings, "refreshIntervalMs" | "floorMs">;
}

/** Longest life of a pair: that of its SIGN ticket (protocol.md 2), milliseconds. */
const PAIR_LIFE_MS = 60 * 60_000;

/** Looks at the store: adopts what is newer, and gives back what the store lost. */
export function createStoreWatcher({
  sharedState,
  cache,
  sealer,
  clock,
  health,
  events,
  timings,
}: StoreWatcherOptions) {
  let lastLookAt = clock.monotonic();
  /** Why the published pair cannot be used, and which one that is. */
  let unreadable: { record: string; why: Exclude<ReplicaFacts["opened"], "ok" | undefined> } | undefined;
  let flaw: StateView["flaw"];
  let last: StateView | undefined;
  /** REFRESH_INTERVALs that are no news. */
  const intervals = new Set([timings.refreshIntervalMs]);

  /** Whether the store's clock has gone back behind a commit, whose age nobody can tell then. */
  const isOfFuture = (at: number, now: number) => at - now > timings.floorMs;

  function adopt(candidate: OpenedPair): void {
    if (!cache.adopt(candidate)) return;
    events.pairAdopted({ generation: candidate.generation, own: candidate.own, lagMs: candidate.ageMs });
  }

  /** Told once, but tried at every look: the ring that could not open it may be another one by then. */
  function reject(record: string, why: Exclude<ReplicaFacts["opened"], "ok" | undefined>): void {
    const known = unreadable?.record === record && unreadable.why === why;
    unreadable = { record, why };
    if (!known) events.recordUnreadable({ why });
  }

  function adoptPublished({ generation, sealed, at }: SealedPair, { now, askedAt }: StateView): void {
    if ((cache.latest?.pair.generation ?? 0) >= generation) return;
    const opened = sealer.open(sealed, { generation, kind: "pair" });
    const issued = opened.ok ? readPair(opened.plain) : undefined;
    if (!issued) return reject(sealed, opened.ok ? "format" : opened.why);
    // Of an unknown age it is used, and due; as after a restart of a machine whose clock was set back.
    const leastMs = isOfFuture(at, now) ? timings.refreshIntervalMs : 0;
    const since = (time: number) => Math.max(leastMs, now - time);
    const ages = {
      ageMs: since(at),
      tokenAgeMs: since(issued.issuedAt),
      signAgeMs: since(issued.signIssuedAt),
    };
    const candidate = { generation, sealed, issued, ...ages, asOf: askedAt, own: false };
    // Not in exchange for one that works: a store's clock that jumped makes a new pair look old.
    unreadable = cache.isOver(candidate) ? { record: sealed, why: "expired" } : undefined;
    if (!unreadable) adopt(candidate);
  }

  /** Processes that are configured differently all work, but not as anybody meant them to. */
  function compare(theirs: number | undefined): void {
    if (theirs === undefined || intervals.has(theirs)) return;
    intervals.add(theirs);
    events.intervalDiffers({ oursMs: timings.refreshIntervalMs, theirsMs: theirs });
  }

  /** A store that lost data gets the newest pair back from whoever holds it. */
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

    /** The state as it is now; undefined when the store is away. `mayHeal`: no refresh of ours is about to commit. */
    async poll(mayHeal: boolean): Promise<StateView | undefined> {
      try {
        const view = await sharedState.read();
        await health.answered();
        last = view;
        if (view.flaw && view.flaw !== flaw) events.recordUnreadable({ why: view.flaw });
        flaw = view.flaw;
        compare(view.state.intervalMs);
        if (view.state.published) adoptPublished(view.state.published, view);
        if (mayHeal && view.flaw !== "newer") await heal(view);
        return view;
      } catch (error) {
        health.failed(error);
        return undefined;
      } finally {
        lastLookAt = clock.monotonic();
      }
    },

    /** What `needOf` wants to know. */
    facts({ state, now }: StateView): ReplicaFacts {
      const { published } = state;
      const { latest } = cache;
      const current = latest && latest.pair.generation >= (published?.generation ?? 0);
      const unknownAge = published !== undefined && isOfFuture(published.at, now);
      return {
        opened: published && (current ? "ok" : (unreadable?.why ?? "ok")),
        usable: cache.isUsable(),
        // Whichever clock says older.
        ageMs: Math.max(current ? cache.ageMs() : 0, published ? now - published.at : 0),
        dueMs: latest && !unknownAge ? latest.dueAt - latest.bornAt : 0,
        lifeMs: PAIR_LIFE_MS,
      };
    },

    get storeUp() {
      return health.isUp === true;
    },

    /** Why the pair in the store is not the one in hand, for people; undefined when there is nothing in the way. */
    get obstacle(): string | undefined {
      if (flaw) return OBSTACLES[flaw];
      const newer = (last?.state.published?.generation ?? 0) > (cache.latest?.pair.generation ?? 0);
      return newer && unreadable ? OBSTACLES[unreadable.why] : undefined;
    },

    /** What the store said when it answered last. */
    get view() {
      return last;
    },

    /** Time since the store was last asked, whether or not it answered, milliseconds. */
    silentMs: () => clock.monotonic() - lastLookAt,
  };
}

export type StoreWatcher = ReturnType<typeof createStoreWatcher>;
