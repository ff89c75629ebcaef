import { deriveTimings } from "../../src/config/ticket-timings.ts";
import { UpstreamError } from "../../src/errors.ts";
import {
  type Coordinator,
  type CoordinatorOptions,
  createCoordinator,
} from "../../src/tickets/coordinator.ts";
import type { TicketEvents } from "../../src/tickets/events.ts";
import { readPair } from "../../src/tickets/pair.ts";
import { UNSEEN } from "../../src/tickets/processes.ts";
import { EMPTY_STATE, parseState, type TicketState } from "../../src/tickets/protocol/state.ts";
import type { transition } from "../../src/tickets/protocol/transition.ts";
import type { TicketPair } from "../../src/tickets/reader.ts";
import type { TicketUpstream } from "../../src/tickets/refresh-calls.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import { brokenByWrite } from "./checks.ts";
import { Machine } from "./machine.ts";
import { ProcessLife } from "./node.ts";
import { EVERY_KEY, GIVEN, ROLLOUTS, type Rollout, roll } from "./rollout.ts";
import type { Scenario } from "./scenarios.ts";
import { type Boundary, createStoreClient, StoreModel } from "./store-model.ts";
import { UpstreamModel } from "./upstream-model.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  seed: number;
  scenario: Scenario;
  replicas?: number;
  hours?: number;
  /** What runs in each process; the production coordinator unless a test plants another. */
  create?: (
    options: CoordinatorOptions,
  ) => Pick<Coordinator, "start" | "tickets"> & { operator?: Coordinator["operator"] };
  /** The protocol of every process; the production one unless a test plants a broken one. */
  protocol?: typeof transition;
}

export interface Outcome {
  seed: number;
  hash: number;
  uses: number;
  /** Uses of a pair that is dead at the vendor, and uses without a pair after the first. */
  deadUses: number;
  /** Longest series of such uses in one process, seconds. */
  worstOutageS: number;
  /** The same of each process. */
  outagesS: number[];
  tokenCalls: number;
  /** From the first to the last; the first pair itself is not counted. */
  tokenCallsPerHour: number;
  overlaps: number;
  heals: number;
  forced: number;
  /** Faults that struck: crashes, stops, lost replies, and what happened to the surroundings. */
  faults: number;
  /** Broken invariants of ticket-cache.md 3, in words. */
  violations: string[];
  /** The last 400 s before the first violation or the worst outage. */
  trace: string[];
}

const TIMINGS = deriveTimings({ refreshIntervalMs: 20 * 60_000, tokenOverlapMs: 60_000 });
/** Boundaries a refresh passes: three writes, two calls, before and after. */
const BOUNDARIES = 10;
/** A lease and a poll, seconds. */
const UNSEEN_S = Math.ceil((TIMINGS.leaseMs + TIMINGS.pollMs * 1.2) / 1_000);
/** Two polls, seconds. */
const UNHEALED_S = Math.ceil((2 * TIMINGS.pollMs * 1.2) / 1_000);
const SEALER = createSealer("app", () => EVERY_KEY);
/** A token call that a change of the store, rather than a stopped process, let meet another began by then. */
const DISTURBED_MS = TIMINGS.leaseMs + TIMINGS.tokenTimeoutMs;
/** No fault begins in the last quarter of an hour, so that what must become good again has time to. */
const CALM_MS = 15 * 60_000;

/** Runs N processes, each with the coordinator of the product, for some hours of virtual time. */
export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const { seed, scenario, replicas = 4, hours = 3, create = createCoordinator, protocol } = options;
  const naive = create !== createCoordinator;
  const world = new World(seed);
  const store = new StoreModel(world);
  const upstream = new UpstreamModel(world, TIMINGS.overlapMs);
  const endMs = hours * 3_600_000;
  const faulty = () => world.now < endMs - CALM_MS;
  const violations: string[] = [];
  let trace: string[] = [];
  let [uses, deadUses, worstOutageS, heals, forced, faults] = [0, 0, 0, 0, 0, 0];
  let [firstCallAt, lastCallAt] = [0, 0];
  let [passed, unseenS, unhealedS, highest] = [0, 0, 0, 0];
  let published: { sealed: string; token: string } | undefined;

  /** Whether the store may lose what it acknowledged. */
  const regresses = Boolean(
    scenario.failover || scenario.wipeEveryMs || scenario.once?.failOverMs || scenario.once?.wipe,
  );

  function violated(rule: string): void {
    if (violations.length === 0) trace = world.recent(400_000);
    violations.push(`${(world.now / 1000).toFixed(1)} s: ${rule}`);
  }

  let lostOnce = false;
  /** Whose call was the latest to rotate, if it left long after its lease: as 7 allows. */
  let strayer: ProcessLife | undefined;
  const perBoundary = (perRefresh = 0) => 1 - (1 - perRefresh) ** (1 / BOUNDARIES);
  const crashes = perBoundary(scenario.crash);
  const pauses = perBoundary(scenario.pause);
  const powerLosses = perBoundary(scenario.powerLoss);
  function strike(life: ProcessLife, boundary: Boundary): void {
    if (!faulty() || life.dead) return;
    const { once } = scenario;
    if (once && highest > 0 && boundary === once.boundary && ++passed === once.nth) {
      faults++;
      world.trace(`${life.name} ${boundary}`);
      if (once.crash) life.crash();
      if (once.pauseMs) life.pause(once.pauseMs);
      if (once.failOverMs) store.failOver(once.failOverMs);
      if (once.wipe) store.wipe();
      if (once.jumpMs) store.jump(once.jumpMs);
      lostOnce = once.loseReply === true;
    }
    if (crashes > 0 && world.chance(crashes)) {
      faults++;
      world.trace(`${life.name} ${boundary}`);
      life.crash();
    } else if (pauses > 0 && world.chance(pauses)) {
      world.trace(`${life.name} ${boundary}`);
      faults++;
      // Half of them around the lease, where they do the most harm.
      const { leaseMs } = TIMINGS;
      const aroundLease = world.chance(0.5);
      life.pause(aroundLease ? world.between(leaseMs - 500, leaseMs + 3_500) : world.between(1_500, 300_000));
    }
    if (powerLosses > 0 && world.chance(powerLosses)) {
      faults++;
      world.trace("the power is gone");
      for (const slot of slots) slot.life.crash();
      store.losePower();
    }
    if (boundary === "after_write" && scenario.failover && world.chance(scenario.failover / 3)) {
      faults++;
      store.failOver(world.between(1_000, 5_000));
    }
  }

  function callUpstream<T>(
    life: ProcessLife,
    endpoint: "token" | "sign",
    handle: () => T,
    lose: () => boolean,
  ) {
    return new Promise<T>((resolve, reject) => {
      const checkedAt = world.now;
      strike(life, `before_${endpoint}`);
      const send = () => {
        if (life.dead) return;
        const late = world.now - checkedAt > TIMINGS.marginMs;
        world.after(world.between(10, 150), () => {
          const token = endpoint === "token";
          if (token && upstream.down && upstream.downHow === "not_sent") {
            life.deliver(() => reject(new UpstreamError("access_token", "not_sent")));
            return;
          }
          if (token) arrive(late);
          const answer = () => {
            let reply: () => void;
            try {
              if (token && upstream.down) throw new UpstreamError("access_token", "status");
              const value = handle();
              if (token) strayer = late ? life : undefined;
              reply = () => resolve(value);
            } catch (error) {
              reply = () => reject(error as Error);
            }
            const lost = lose();
            world.after(world.between(10, 150), () => {
              if (token) leave(late);
              strike(life, `after_${endpoint}`);
              if (!lost) return life.deliver(reply);
              faults++;
              world.trace(`${life.name} ${endpoint} reply lost`);
            });
          };
          if (!token || !scenario.slow || !world.chance(scenario.slow)) return answer();
          // As slow as is allowed: with the ways there and back it just fits the time of a token call.
          const takesMs = world.between(0, 5_650);
          world.after(takesMs, answer);
          world.after(world.between(0, takesMs), () => {
            if (!faulty() || life.dead || !world.chance(scenario.crash ?? 0)) return;
            faults++;
            world.trace(`${life.name} during token`);
            life.crash();
          });
        });
      };
      // Stopped between its last check and the write to the socket, it sends on waking.
      void life.running().then(send);
    });
  }

  let straying = 0;
  /** 7: token calls meet only after a stop between the last check and the write, or when the store changed under a lease. */
  function arrive(late: boolean): void {
    if (late) straying++;
    const { overlaps } = upstream;
    upstream.begin();
    const excused = naive || straying > 0 || world.now - store.disturbedAt < DISTURBED_MS;
    if (upstream.overlaps > overlaps && !excused) violated("7: two token calls at once");
  }

  function leave(late: boolean): void {
    if (late) straying--;
    upstream.end();
  }

  function upstreamOf(life: ProcessLife): TicketUpstream {
    const lost = () => {
      const struck = lostOnce;
      lostOnce = false;
      return struck || (faulty() && world.chance(scenario.lostReply ?? 0));
    };
    return {
      async fetchAccessToken(secret) {
        const stored = scenario.powerLoss ? store.durable : store.value;
        if (!naive && !regresses && stateOf(stored).intent === undefined) {
          violated("8: a token call without an intent in the store");
        }
        lastCallAt = world.now;
        firstCallAt ||= world.now;
        world.trace(`${life.name} calls for a token`);
        return await callUpstream(life, "token", () => upstream.issueToken(secret), lost);
      },
      async fetchSignTicket(accessToken) {
        return await callUpstream(
          life,
          "sign",
          () => upstream.issueTicket(accessToken),
          () => false,
        );
      },
    };
  }

  function eventsOf(life: ProcessLife, index: number): TicketEvents {
    let adopted = 0;
    return {
      refreshFinished({ outcome, reason, generation }) {
        world.trace(`${life.name} refresh ${generation} for ${reason}: ${outcome}`);
      },
      pairAdopted({ generation, own }) {
        world.trace(`${life.name} adopted ${generation}${own ? " (own)" : ""}`);
        highest = Math.max(highest, generation);
        if (generation <= adopted) violated(`2: ${life.name} adopted ${generation} after ${adopted}`);
        adopted = generation;
      },
      pairRejected({ generation }) {
        world.trace(`${life.name} saw ${generation} rejected`);
      },
      foreignRotation() {
        forced++;
      },
      pairHealed({ generation }) {
        heals++;
        world.trace(`${life.name} healed ${generation}`);
      },
      pairOrphaned({ generation }) {
        world.trace(`${life.name} orphaned ${generation}`);
      },
      recordUnreadable({ why }) {
        world.trace(`${life.name} cannot read the record (${why})`);
        if (!rollout || opens(index)) violated(`9: ${life.name} found an unreadable record (${why})`);
      },
      intervalDiffers({ oursMs, theirsMs }) {
        world.trace(`${life.name} refreshes every ${oursMs} ms, others every ${theirsMs} ms`);
      },
      refresherDied({ holder }) {
        world.trace(`${life.name} found ${holder} dead`);
        const alive = slots.some((slot) => !slot.life.dead && holder.startsWith(`${slot.life.name}/`));
        if (alive) violated(`4: ${life.name} took the lease of ${holder}, which lives`);
      },
      storeChanged({ up }) {
        world.trace(`${life.name} store ${up ? "up" : "down"}`);
      },
      suspended() {
        world.trace(`${life.name} was asleep`);
      },
      loopFailed({ error }) {
        violated(`a step threw: ${(error as Error).stack ?? ""}`);
      },
    };
  }

  interface Slot {
    life: ProcessLife;
    coordinator: Pick<Coordinator, "tickets"> & { operator?: Coordinator["operator"] };
    hadPair: boolean;
    outageS: number;
    longestS: number;
    behindS: number;
  }
  const slots: Slot[] = [];
  let lives = 0;

  const machine = new Machine();
  const rollout: Rollout | undefined = scenario.rollout && ROLLOUTS[scenario.rollout];
  const given = Array.from({ length: replicas }, () => rollout?.phases[0] ?? GIVEN);
  const givenTo = (index: number) => given[index] ?? GIVEN;

  /** Whether the process has the key of the published pair. */
  function opens(index: number): boolean {
    const { published: kept } = stateOf(store.value);
    const id = kept?.sealed.split(".")[1];
    return givenTo(index).keys.some((key) => key.id === id);
  }

  function boot(index: number): Pick<Slot, "life" | "coordinator"> {
    const life = new ProcessLife(world, `p${++lives}`);
    const { intervalsMs = [TIMINGS.refreshIntervalMs] } = scenario;
    const refreshIntervalMs = intervalsMs[Math.min(index, intervalsMs.length - 1)] ?? 0;
    const coordinator = create({
      secrets: () => givenTo(index).secrets,
      upstream: upstreamOf(life),
      store: createStoreClient(world, store, life, TIMINGS.storeTimeoutMs, strike),
      sealer: createSealer("app", () => givenTo(index).keys),
      clock: life.clock,
      random: world.random,
      timings: { ...TIMINGS, refreshIntervalMs },
      replica: life.name,
      refreshes: true,
      processes: scenario.oneMachine ? machine.join(life) : UNSEEN,
      events: eventsOf(life, index),
      ...(protocol && { protocol }),
    });
    world.trace(`${life.name} starts`);
    void coordinator.start();
    return { life, coordinator };
  }

  function fail(slot: Slot, why: string): void {
    // Long after the last fault: the longest stop, and 90 s.
    if (world.now > endMs - CALM_MS + 390_000) violated(`13: ${slot.life.name} fails: ${why}`);
    deadUses++;
    slot.outageS++;
    slot.longestS = Math.max(slot.longestS, slot.outageS);
    if (slot.outageS === 1) world.trace(`${slot.life.name} fails: ${why}`);
    if (slot.outageS > worstOutageS) {
      worstOutageS = slot.outageS;
      if (violations.length === 0) trace = world.recent(400_000);
    }
  }

  /** 1: what the store lost, and somebody still holds, is given back. */
  function watchHealing(): void {
    const { published: kept, lease } = stateOf(store.value);
    const { generation = 0 } = kept ?? {};
    if (highest <= generation || (lease && lease.until > store.now())) {
      unhealedS = 0;
      return;
    }
    const held = slots.some(({ life, coordinator }) => {
      if (life.dead || life.paused || !store.reaches(life)) return false;
      const status = coordinator.operator?.status();
      return status?.usable && status.generation > generation;
    });
    unhealedS = held ? unhealedS + 1 : 0;
    if (unhealedS === UNHEALED_S)
      violated(`1: the store holds ${generation} and is not given back what it lost`);
  }

  /** 19: who can open the published pair holds it, two polls later at the latest. */
  function watchReaders(): void {
    const { generation = 0 } = stateOf(store.value).published ?? {};
    for (const [index, slot] of slots.entries()) {
      const { life, coordinator } = slot;
      const excused = life.dead || life.paused || !store.reaches(life) || !opens(index);
      const held = coordinator.operator?.status().generation ?? generation;
      slot.behindS = excused || held >= generation ? 0 : slot.behindS + 1;
      if (slot.behindS === UNHEALED_S) violated(`19: ${life.name} does not take up ${generation}`);
    }
  }

  /** 6: a rotation that nobody knows of must show in the shared state, at the latest one poll after its lease. */
  function watchRotations(): void {
    const state = stateOf(store.value);
    const { sealed, generation = 0 } = state.published ?? {};
    if (sealed !== undefined && published?.sealed !== sealed) {
      const opened = SEALER.open(sealed, { generation, kind: "pair" });
      if (opened.ok) published = { sealed, token: readPair(opened.plain)?.accessToken.reveal() ?? "" };
    }
    const known = published && upstream.isLatest(published.token);
    // Who has been stopped again, is dead or cut off, cannot tell.
    const silenced = strayer && (strayer.paused || strayer.dead || !store.reaches(strayer));
    unseenS = known || silenced || state.intent || state.doubt || state.stage ? 0 : unseenS + 1;
    if (unseenS === UNSEEN_S) violated("6: the token was rotated, and the shared state does not show it");
  }

  /** One use, as a request makes it; a refused pair is reported and the use has failed all the same. */
  function check(slot: Slot, pair: TicketPair): void {
    const token = pair.accessToken.reveal();
    if (upstream.ownerOf(pair.signTicket.reveal()) !== token) violated("3: a ticket of another token");
    if (upstream.isAlive(token)) {
      slot.outageS = 0;
      slot.coordinator.tickets.accepted(pair);
      return;
    }
    fail(slot, `${token} is dead`);
    const never = new AbortController().signal;
    void slot.coordinator.tickets.renewed(pair, "400103", never);
  }

  function use(slot: Slot): boolean {
    const { life, coordinator } = slot;
    if (life.dead || life.paused) return false;
    const { tickets } = coordinator;
    const attempt = () => {
      uses++;
      let pair: TicketPair | undefined;
      try {
        pair = tickets.current();
        slot.hadPair = true;
      } catch {
        // A process that cannot reach the store yet, or never had a pair, is not ready and gets no traffic.
        if (slot.hadPair) fail(slot, "no pair");
        else uses--;
      }
      if (pair) check(slot, pair);
    };
    if (!tickets.isStale()) {
      attempt();
      return slot.outageS > 0;
    }
    void tickets.reread().then(() => {
      if (!life.dead && !life.paused && slot.life === life) attempt();
    });
    return true;
  }

  for (let i = 0; i < replicas; i++) {
    world.at(world.between(0, 5_000), () => {
      const index = slots.length;
      const slot: Slot = { ...boot(index), hadPair: false, outageS: 0, longestS: 0, behindS: 0 };
      slots.push(slot);
      const every = () => {
        const settles = use(slot);
        world.after(1_000, every);
        return settles;
      };
      world.after(world.between(0, 1_000), every);
      const revive = () => {
        const { dead } = slot.life;
        if (dead) Object.assign(slot, boot(index), { hadPair: false, outageS: 0, behindS: 0 });
        world.after(world.between(5_000, 30_000), revive);
        return dead;
      };
      world.after(10_000, revive);
    });
  }

  function sometimes(everyMs: number | undefined, strikeNow: () => void): void {
    if (everyMs === undefined) return;
    const next = () =>
      world.after(-Math.log(1 - world.random()) * everyMs, () => {
        if (!faulty()) return;
        faults++;
        strikeNow();
        next();
      });
    next();
  }
  const { storeAway, foreignEveryMs } = scenario;
  if (!naive) {
    store.onWrite = (before, after) => {
      for (const rule of brokenByWrite(stateOf(before), stateOf(after), store.now())) violated(rule);
    };
    const every = () => {
      watchHealing();
      if (!scenario.clockJumpEveryMs && !scenario.once?.jumpMs) watchReaders();
      if (!regresses && !foreignEveryMs) watchRotations();
      world.after(1_000, every);
      return false;
    };
    world.after(30_000, every);
  }
  if (rollout) {
    roll(world, rollout, replicas, {
      give(index, next) {
        given[index] = next;
        world.trace(`${slots[index]?.life.name} reads what it was given anew`);
      },
      // An operator's, so that something is sealed anew before the others have it.
      first(index) {
        const forcing = slots[index]?.coordinator.operator?.forceRefresh(false, new AbortController().signal);
        forcing?.catch(() => undefined);
      },
      vendor() {
        upstream.secret = rollout.phases.at(-1)?.secrets.at(-1)?.reveal();
        upstream.revoke();
      },
    });
  }
  if (storeAway) {
    world.at(storeAway.fromMs, () => {
      store.downUntil = storeAway.toMs;
      world.trace("store away");
    });
  }
  if (foreignEveryMs) {
    const rotate = () => {
      world.trace("a stranger asks for a token");
      upstream.issueToken();
      world.after(foreignEveryMs, rotate);
    };
    world.after(foreignEveryMs, rotate);
  }
  store.dropHints = scenario.dropHints ?? 0;
  sometimes(scenario.clockJumpEveryMs, () => {
    store.jump(world.between(30_000, 7_200_000) * (world.chance(0.5) ? 1 : -1));
  });
  sometimes(scenario.wipeEveryMs, () => store.wipe());
  sometimes(scenario.tokenOutageEveryMs, () => {
    upstream.downHow = world.chance(0.5) ? "not_sent" : "status";
    upstream.downUntil = Math.min(endMs - CALM_MS, world.now + world.between(10_000, 900_000));
    world.trace(`token endpoint down (${upstream.downHow})`);
  });
  sometimes(scenario.partitionEveryMs, () => {
    const slot = slots[Math.floor(world.random() * slots.length)];
    if (!slot) return;
    slot.life.partitionedUntil = world.now + world.between(5_000, 120_000);
    world.trace(`${slot.life.name} cut off from the store`);
  });

  await world.run(endMs);

  // 13: once the faults are over, everybody holds the newest token, and it works.
  for (const { life, coordinator } of slots) {
    if (life.dead || life.paused) continue;
    try {
      const token = coordinator.tickets.current().accessToken.reveal();
      if (!upstream.isAlive(token)) violated(`13: ${life.name} ends with a dead pair`);
      else if (!upstream.isLatest(token) && upstream.latestAgeMs > 90_000)
        violated(`13: ${life.name} ends with an older pair`);
    } catch {
      violated(`13: ${life.name} ends without a pair`);
    }
  }
  // 1: what anybody has ever held is not lost for good.
  const kept = stateOf(store.value).published?.generation ?? 0;
  if (!naive && slots.some(({ life }) => !life.dead) && kept < highest && !scenario.wipeEveryMs) {
    violated(`1: the store ends with ${kept}, though ${highest} was adopted`);
  }
  const ownCalls = upstream.tokenCalls;
  const spanHours = (lastCallAt - firstCallAt) / 3_600_000;

  return {
    seed,
    hash: world.hash,
    uses,
    deadUses,
    worstOutageS,
    outagesS: slots.map(({ longestS }) => longestS),
    tokenCalls: ownCalls,
    tokenCallsPerHour: spanHours > 0 ? (ownCalls - 1) / spanHours : 0,
    overlaps: upstream.overlaps,
    heals,
    forced,
    faults,
    violations,
    trace: trace.length > 0 ? trace : world.recent(endMs),
  };
}

let parsed: { value: string | undefined; state: TicketState } = { value: undefined, state: EMPTY_STATE };

/** The state in a register's text; the last one is remembered, since it is looked at every second. */
function stateOf(value: string | undefined): TicketState {
  if (parsed.value === value) return parsed.state;
  const state = value === undefined ? EMPTY_STATE : parseState(value);
  parsed = { value, state: typeof state === "string" ? EMPTY_STATE : state };
  return parsed.state;
}
