import type { Clock } from "../lib/clock.ts";
import type { Candidate, Holder } from "./held.ts";
import type { Facts } from "./need.ts";
import { readPair } from "./pair.ts";
import type { Sealed } from "./record.ts";
import type { Register, View } from "./register.ts";
import type { Sealer } from "./sealer.ts";
import type { TicketEvents } from "./ticket-events.ts";

export interface ObserverOptions {
  register: Register;
  holder: Holder;
  sealer: Sealer;
  clock: Clock;
  events: TicketEvents;
}

/** Longest life of a pair: that of its SIGN ticket (protocol.md 2), milliseconds. */
const PAIR_LIFE_MS = 60 * 60_000;

/** Looks at the store: adopts what is newer, and gives back what the store lost. */
export function createObserver({ register, holder, sealer, clock, events }: ObserverOptions) {
  let storeUp: boolean | undefined;
  let lastLookAt = clock.monotonic();
  /** Why the published pair cannot be used, and which one that is. */
  let unreadable: { record: string; why: Exclude<Facts["opened"], "ok" | undefined> } | undefined;
  let flaw: View["flaw"];
  let last: View | undefined;

  function adopt(candidate: Candidate): void {
    if (!holder.adopt(candidate)) return;
    events.pairAdopted({ generation: candidate.generation, own: candidate.own, lagMs: candidate.ageMs });
  }

  function take({ generation, sealed, at }: Sealed, { now, askedAt }: View): void {
    if ((holder.held?.pair.generation ?? 0) >= generation || unreadable?.record === sealed) return;
    const opened = sealer.open(sealed, { generation, kind: "pair" });
    const issued = opened.ok ? readPair(opened.plain) : undefined;
    if (!issued) {
      unreadable = { record: sealed, why: opened.ok ? "format" : opened.why };
      events.recordUnreadable({ why: unreadable.why });
      return;
    }
    const since = (time: number) => Math.max(0, now - time);
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
        if (storeUp === false) events.storeChanged({ up: true, error: undefined });
        storeUp = true;
        last = view;
        if (view.flaw && view.flaw !== flaw) events.recordUnreadable({ why: view.flaw });
        flaw = view.flaw;
        if (view.state.published) take(view.state.published, view);
        if (mayHeal && view.flaw !== "newer") await heal(view);
        return view;
      } catch (error) {
        if (storeUp !== false) events.storeChanged({ up: false, error });
        storeUp = false;
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
      return {
        opened: published && (current ? "ok" : (unreadable?.why ?? "ok")),
        usable: holder.isUsable(),
        // Whichever clock says older; a store's clock that went back says nothing.
        ageMs: Math.max(current ? holder.ageMs() : 0, published ? now - published.at : 0),
        dueMs: held ? held.dueAt - held.bornAt : 0,
        lifeMs: PAIR_LIFE_MS,
      };
    },

    get storeUp() {
      return storeUp === true;
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
