import { expect, test } from "vitest";
import { createSemaphore } from "../../src/lib/concurrency.ts";

const never = new AbortController().signal;

/** Work that ends when told to. */
function work() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, end: resolve };
}

test("work beyond a semaphore's limit waits and starts in order of arrival", async () => {
  const turns = createSemaphore(2);
  const begun: number[] = [];
  const works = [work(), work(), work(), work()];
  const done = works.map((one, i) =>
    turns(never, () => {
      begun.push(i);
      return one.promise;
    }),
  );
  expect(begun).toEqual([0, 1]);
  works[1]!.end();
  await done[1];
  await expect.poll(() => begun).toEqual([0, 1, 2]);
  works[0]!.end();
  await expect.poll(() => begun).toEqual([0, 1, 2, 3]);
  for (const { end } of works) end();
  await Promise.all(done);
});

test("a waiter that aborts leaves a semaphore's queue at once, and failed work frees its place", async () => {
  const turns = createSemaphore(1);
  const first = Promise.withResolvers<void>();
  const failing = turns(never, () => first.promise);
  const impatient = new AbortController();
  const waiting = turns(impatient.signal, () => Promise.resolve("never begun"));
  const next = turns(never, () => Promise.resolve("begun"));
  impatient.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  first.reject(new Error("failed"));
  await expect(failing).rejects.toThrow("failed");
  expect(await next).toBe("begun");
  expect(await turns(never, () => Promise.resolve("and again"))).toBe("and again");
});
