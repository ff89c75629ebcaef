import { parentPort, workerData } from "node:worker_threads";

// Says when to begin a call, by messages without content: after exponential gaps, as of callers who do not know of each
// other, so calls do not go in step. In a thread of its own, since a timer knows whole milliseconds only, and at 800 calls a
// second would bring them in pairs; a thread that sleeps knows microseconds. A gap that was missed is made up for at once.

const { rate, seconds } = workerData as { rate: number; seconds: number };
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
const began = performance.now();
const gapMs = () => (-Math.log(1 - Math.random()) * 1000) / rate;

for (let at = gapMs(); at < seconds * 1000; at += gapMs()) {
  const waitMs = began + at - performance.now();
  if (waitMs > 0) Atomics.wait(nobodyWakes, 0, 0, waitMs);
  parentPort!.postMessage(undefined);
}
