import type { Clock } from "../../src/lib/clock.ts";
import type { World } from "./world.ts";

/** 2026-01-01, where virtual time begins for those who look at the wall. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * One life of a process: its clocks, and what happens to its timers and messages while it is stopped or dead. A stopped
 * process loses nothing; when it goes on, its timers fire before its sockets are read, as in libuv.
 */
export class ProcessLife {
  readonly name: string;
  readonly #world: World;
  readonly #rate: number;
  readonly #origin: number;
  readonly #wallOffset: number;
  #pausedUntil = 0;
  #deferredTimers: (() => void)[] = [];
  #deferredMessages: (() => void)[] = [];
  dead = false;
  /** Cut off from the store, as seen by this process alone. */
  partitionedUntil = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#rate = 1 + world.between(-0.001, 0.001);
    this.#origin = world.between(0, 1e6);
    this.#wallOffset = world.between(-3.6e6, 3.6e6);
  }

  get paused(): boolean {
    return this.#world.now < this.#pausedUntil;
  }

  readonly clock: Clock = {
    now: () => Math.floor(EPOCH_MS + this.#world.now + this.#wallOffset),
    monotonic: () => this.#origin + this.#world.now * this.#rate,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const cancel = this.timer(ms, resolve);
        signal?.addEventListener("abort", () => {
          cancel();
          reject(signal.reason as Error);
        });
      }),
  };

  /** Calls `run` after `ms` on this process's clock, unless it is dead by then; returns what cancels it. */
  timer(ms: number, run: () => void): () => void {
    let over = false;
    const fire = () => {
      if (over || this.dead) return false;
      if (this.paused) {
        this.#deferredTimers.push(fire);
        return false;
      }
      over = true;
      run();
      return true;
    };
    this.#world.after(Math.max(ms, 0.001) / this.#rate, fire);
    return () => {
      over = true;
    };
  }

  /** Hands a message to the process when it can read it; a dead one never does. */
  deliver(read: () => void): void {
    if (this.dead) return;
    if (this.paused) this.#deferredMessages.push(read);
    else read();
  }

  /** Resolves at once, or when the process goes on. */
  running(): Promise<void> {
    if (!this.paused) return Promise.resolve();
    return new Promise((resolve) => this.#deferredMessages.push(resolve));
  }

  crash(): void {
    this.dead = true;
    this.#world.trace(`${this.name} crashed`);
  }

  pause(ms: number): void {
    const until = this.#world.now + ms;
    if (until <= this.#pausedUntil) return;
    this.#pausedUntil = until;
    this.#world.trace(`${this.name} stopped for ${(ms / 1000).toFixed(1)} s`);
    this.#world.at(until, () => {
      if (this.dead || this.paused) return;
      this.#world.trace(`${this.name} goes on`);
      for (const fire of this.#deferredTimers.splice(0)) fire();
      this.#world.after(0.001, () => {
        for (const read of this.#deferredMessages.splice(0)) this.deliver(read);
      });
    });
  }
}
