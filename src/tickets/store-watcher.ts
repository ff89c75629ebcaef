import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import { readPair } from "./pair.ts";
import type { Candidate, Holder } from "./pair-cache.ts";
import { type Facts, OBSTACLES } from "./protocol/refresh-reason.ts";
import type { Sealed } from "./protocol/state.ts";
import type { Sealer } from "./sealer.ts";
import type { Register, View } from "./shared-state.ts";
import type { StoreHealth } from "./store-health.ts";

export interface ObserverOptions {
  register: Register;
  holder: Holder;
  sealer: Sealer;
  clock: Clock;
  health: StoreHealth;
  events: TicketEvents;
  timings: Pick<TicketTimings, "refreshIntervalMs" | "floorMs">;
}

/** Longest life of a pair: that of its SIGN ticket (protocol.md 2), milliseconds. */
const PAIR_LIFE_MS = 60 * 60_000;

/** Looks at the store: adopts what is newer, and gives back what the store lost. */
export function createObserver({
  register,
  holder,
  sealer,
  clock,
  health,
  events,
  timings,
}: ObserverOptions) {
  let lastLookAt = clock.monotonic();
  /** Why the published pair cannot be used, and which one that is. */
  let unreadable: { record: string; why: Exclude<Facts["opened"], "ok" | undefined> } | undefined;
  let flaw: View["flaw"];
  let last: View | undefined;
  /** REFRESH_INTERVALs that are no news. */
  const intervals = new Set([timings.refreshIntervalMs]);

  /** Whether the store's clock has gone back behind a commit, whose age nobody can tell then. */
  const isOfFuture = (at: number, now: number) => at - now > timings.floorMs;

  function adopt(candidate: Candidate): void {
    if (!holder.adopt(candidate)) return;
    events.pairAdopted({ generation: candidate.generation, own: candidate.own, lagMs: candidate.ageMs });
  }

  /** Told once, but tried at every look: the ring that could not open it may be another one by then. */
  function reject(record: string, why: Exclude<Facts["opened"], "ok" | undefined>): void {
    const known = unreadable?.record === record && unreadable.why === why;
    unreadable = { record, why };
    if (!known) events.recordUnreadable({ why });
  }

  function take({ generation, sealed, at }: Sealed, { now, askedAt }: View): void {
    if ((holder.held?.pair.generation ?? 0) >= generation) return;
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
    unreadable = holder.isOver(candidate) ? { record: sealed, why: "expired" } : undefined;
    if (!unreadable) adopt(candidate);
  }

  /** Processes that are configured differently all work, but not as anybody meant them to. */
  function compare(theirs: number | undefined): void {
    if (theirs === undefined || intervals.has(theirs)) return;
    intervals.add(theirs);
    events.intervalDiffers({ oursMs: timings.refreshIntervalMs, theirsMs: theirs });
  }

  /** A store that lost data gets the newest pair back from whoever holds it. */
  async function heal(view: View): Promise<void> {
    const { held } = holder;
    const { published } = view.state;
    if (!held || !holder.isUsable() || held.pair.generation <= (published?.generation ?? 0)) return;
    const { generation } = held.pair;
    const at = Math.floor(view.now - (clock.monotonic() - held.bornAt));
    const { status } = await register.apply({ kind: "heal", generation, sealed: held.sealed, at });
    if (status === "ok") events.pairHealed({ generation });
  }

  return {
    adopt,

    /** The state as it is now; undefined when the store is away. `mayHeal`: no refresh of ours is about to commit. */
    async look(mayHeal: boolean): Promise<View | undefined> {
      try {
        const view = await register.read();
        await health.answered();
        last = view;
        if (view.flaw && view.flaw !== flaw) events.recordUnreadable({ why: view.flaw });
        flaw = view.flaw;
        compare(view.state.intervalMs);
        if (view.state.published) take(view.state.published, view);
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
    facts({ state, now }: View): Facts {
      const { published } = state;
      const { held } = holder;
      const current = held && held.pair.generation >= (published?.generation ?? 0);
      const unknownAge = published !== undefined && isOfFuture(published.at, now);
      return {
        opened: published && (current ? "ok" : (unreadable?.why ?? "ok")),
        usable: holder.isUsable(),
        // Whichever clock says older.
        ageMs: Math.max(current ? holder.ageMs() : 0, published ? now - published.at : 0),
        dueMs: held && !unknownAge ? held.dueAt - held.bornAt : 0,
        lifeMs: PAIR_LIFE_MS,
      };
    },

    get storeUp() {
      return health.isUp === true;
    },

    /** Why the pair in the store is not the one in hand, for people; undefined when there is nothing in the way. */
    get obstacle(): string | undefined {
      if (flaw) return OBSTACLES[flaw];
      const newer = (last?.state.published?.generation ?? 0) > (holder.held?.pair.generation ?? 0);
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

export type Observer = ReturnType<typeof createObserver>;
