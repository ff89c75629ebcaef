import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { withDeadline } from "../../src/lib/deadline.ts";
import { resumeTogether } from "../../src/lib/event-loop.ts";

const aborted = (reason: Error) => {
  const controller = new AbortController();
  controller.abort(reason);
  return controller.signal;
};

describe("resumeTogether", () => {
  test("callers of one turn resume together, step by step, after callbacks that were already due", async () => {
    const steps: string[] = [];
    const due = new Promise<void>((resolve) =>
      setImmediate(() => {
        steps.push("due");
        resolve();
      }),
    );
    const walk = async (name: string) => {
      await resumeTogether();
      steps.push(`${name}1`);
      await Promise.resolve();
      steps.push(`${name}2`);
    };
    await Promise.all([due, walk("a"), walk("b"), walk("c")]);
    expect(steps).toEqual(["due", "a1", "b1", "c1", "a2", "b2", "c2"]);
  });

  test("a call after resumption waits for a new turn", async () => {
    const first = resumeTogether();
    expect(resumeTogether()).toBe(first);
    await first;
    const second = resumeTogether();
    expect(second).not.toBe(first);
    await second;
  });
});

describe("sleep", () => {
  const sleep = (ms: number, signal?: AbortSignal) => systemClock.sleep(ms, signal);

  test("a sleep lasts as long as requested", async () => {
    const startedAt = performance.now();
    await sleep(30);
    // Timers are rounded to the millisecond.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
  });

  test("a sleep ends at once with its signal's reason, even if the signal had already aborted", async () => {
    const reason = new Error("enough");
    await expect(sleep(60_000, aborted(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = sleep(60_000, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});

describe("withDeadline", () => {
  const never = () => new Promise<never>(() => undefined);

  test("a deadline settles with the work and cancels the clock's sleep", async () => {
    let slept: AbortSignal | undefined;
    const clock: Clock = {
      ...systemClock,
      sleep(ms, signal) {
        slept = signal;
        return systemClock.sleep(ms, signal);
      },
    };
    await expect(withDeadline(clock, 60_000, async () => "done")).resolves.toBe("done");
    expect(slept?.aborted).toBe(true);
    const failure = new Error("failed");
    await expect(withDeadline(clock, 60_000, () => Promise.reject(failure))).rejects.toBe(failure);
  });

  test("late work ends with a TimeoutError, which is also its signal's reason", async () => {
    let told: AbortSignal | undefined;
    const late = withDeadline(systemClock, 5, (signal) => {
      told = signal;
      return never();
    });
    await expect(late).rejects.toMatchObject({ name: "TimeoutError", message: "no answer within 5 ms" });
    expect(told?.reason).toMatchObject({ name: "TimeoutError" });
  });

  test("a deadline follows the outer signal, even one already aborted, and unsubscribes afterwards", async () => {
    const reason = new Error("enough");
    await expect(withDeadline(systemClock, 60_000, never, aborted(reason))).rejects.toBe(reason);
    const outer = new AbortController();
    let told: AbortSignal | undefined;
    const work = withDeadline(
      systemClock,
      60_000,
      (signal) => {
        told = signal;
        return never();
      },
      outer.signal,
    );
    outer.abort(reason);
    await expect(work).rejects.toBe(reason);
    expect(told?.reason).toBe(reason);

    const kept = new AbortController();
    let quiet: AbortSignal | undefined;
    const take = async (signal: AbortSignal) => {
      quiet = signal;
    };
    await withDeadline(systemClock, 60_000, take, kept.signal);
    kept.abort(reason);
    expect(quiet?.aborted).toBe(false);
  });
});
