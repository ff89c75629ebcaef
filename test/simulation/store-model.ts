import type { TicketStore } from "../../src/tickets/stores/store.ts";
import { EPOCH_MS, type ProcessLife } from "./node.ts";
import type { World } from "./world.ts";

/** One shared register as the simulated processes see it: a primary with a clock, reached over a network. */
export class StoreModel {
  readonly #world: World;
  readonly #listeners = new Map<ProcessLife, Set<() => void>>();
  #value: string | undefined;
  #previous: string | undefined;
  #durable: string | undefined;
  #version = 1;
  #clockOffset = 0;
  /** When the store last lost something, or its clock jumped. */
  disturbedAt = Number.NEGATIVE_INFINITY;
  downUntil = 0;
  /** Chance that a hint does not arrive. */
  dropHints = 0;
  /** Called with every accepted write. */
  onWrite: (before: string | undefined, after: string) => void = () => undefined;

  constructor(world: World) {
    this.#world = world;
  }

  get value(): string | undefined {
    return this.#value;
  }

  /** What a loss of power leaves for certain. */
  get durable(): string | undefined {
    return this.#durable;
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.#world.now + this.#clockOffset);
  }

  read() {
    return { value: this.#value, version: String(this.#version), now: this.now() };
  }

  compareAndSet(version: string, value: string): boolean {
    if (version !== String(this.#version)) return false;
    this.#previous = this.#value;
    this.#value = value;
    this.#version++;
    this.onWrite(this.#previous, value);
    for (const [life, listeners] of this.#listeners) {
      if (life.dead || life.partitionedUntil > this.#world.now || this.#world.chance(this.dropHints))
        continue;
      const arrivesMs = this.#world.between(0.2, 2);
      this.#world.after(arrivesMs, () => {
        life.deliver(() => {
          for (const listener of listeners) listener();
        });
      });
    }
    return true;
  }

  /** What was written is on the disk; only then is a write acknowledged. */
  sync(): void {
    this.#durable = this.#value;
  }

  /** Power is lost, and with it perhaps what was not synced. */
  losePower(): void {
    if (this.#value === this.#durable || this.#world.chance(0.3)) return;
    this.#value = this.#durable;
    this.#version += 1_000;
    this.#world.trace("the unsynced write is lost");
  }

  /** A replica without the last write takes over; versions are never used again. */
  failOver(downMs: number): void {
    const kept = this.#previous;
    // A moment later, so that the write was often acknowledged.
    this.#world.after(this.#world.between(0, 20), () => {
      this.#value = kept;
      this.#version += 1_000;
      this.disturbedAt = this.#world.now;
      this.downUntil = this.#world.now + downMs;
      this.#world.trace("store failed over and lost its last write");
    });
  }

  wipe(): void {
    this.#value = undefined;
    this.#version += 1_000;
    this.disturbedAt = this.#world.now;
    this.#world.trace("store lost everything");
  }

  jump(ms: number): void {
    this.#clockOffset += ms;
    this.disturbedAt = this.#world.now;
    this.#world.trace(`store clock jumped by ${(ms / 1000).toFixed(0)} s`);
  }

  watch(life: ProcessLife, listener: () => void): () => void {
    const listeners = this.#listeners.get(life) ?? new Set();
    this.#listeners.set(life, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  reaches(life: ProcessLife): boolean {
    return this.#world.now >= this.downUntil && this.#world.now >= life.partitionedUntil;
  }
}

/** Where faults may strike. */
export type Boundary =
  | "before_write"
  | "after_write"
  | "before_token"
  | "after_token"
  | "before_sign"
  | "after_sign";

/** Decides at each boundary what happens to the process. */
export type Strike = (life: ProcessLife, boundary: Boundary) => void;

/** The register as one process reaches it: with latency, losses and the deadline every real store has. */
export function createStoreClient(
  world: World,
  store: StoreModel,
  life: ProcessLife,
  timeoutMs: number,
  strike: Strike,
): TicketStore {
  /** A message there and its answer back; either is lost when the store cannot be reached at that moment. */
  function exchange<T>(handle: () => T, beforeReply: (reply: T) => void = () => undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = life.timer(timeoutMs, () => reject(new Error("the store does not answer")));
      world.after(world.between(0.1, 1), () => {
        if (!store.reaches(life)) return false;
        const reply = handle();
        world.after(world.between(0.1, 1), () => {
          if (!life.dead) beforeReply(reply);
          if (!store.reaches(life)) return false;
          life.deliver(() => {
            cancel();
            resolve(reply);
          });
          return true;
        });
        return false;
      });
    });
  }

  async function alive(): Promise<void> {
    await life.running();
    // A dead process goes no further.
    if (life.dead) await new Promise(() => undefined);
  }

  return {
    async read() {
      await alive();
      return await exchange(() => store.read());
    },
    async compareAndSet(version, value) {
      strike(life, "before_write");
      await alive();
      return await exchange(
        () => {
          const accepted = store.compareAndSet(version, value);
          if (accepted) strike(life, "after_write");
          return accepted;
        },
        (accepted) => {
          if (accepted) store.sync();
        },
      );
    },
    watch: (listener) => store.watch(life, listener),
    async open() {},
    async close() {},
  };
}
