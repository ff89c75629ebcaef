/** A pseudo-random generator (sfc32 seeded by splitmix32): the same seed, the same numbers, on every machine. */
export function createRandom(seed: number): () => number {
  let mix = seed >>> 0;
  const next = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [next(), next(), next(), 1];
  return () => {
    const t = (a + b + d++) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + t) >>> 0;
    return t / 4294967296;
  };
}

/** What an event does; false tells that no promise was settled, so that nothing has to run before the next event. */
export type Run = () => unknown;

interface Event {
  time: number;
  sequence: number;
  run: Run;
}

/**
 * Virtual time: every timer and message is an event in one heap, ordered by time and then by sequence. Nothing else
 * decides what happens when, so a seed is a history.
 */
export class World {
  readonly random: () => number;
  now = 0;
  /** FNV-1a over everything that was traced. */
  hash = 0x811c9dc5;
  readonly #heap: Event[] = [];
  readonly #recent: { time: number; line: string }[] = [];
  #sequence = 0;

  readonly #settled: () => Promise<void>;

  /** `settled`: resolves once everything that could go on has gone on. */
  constructor(seed: number, settled = afterMicrotasks) {
    this.random = createRandom(seed);
    this.#settled = settled;
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  at(time: number, run: Run): void {
    const heap = this.#heap;
    heap.push({ time: Math.max(time, this.now), sequence: this.#sequence++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i], heap[parent])) break;
      swap(heap, i, parent);
      i = parent;
    }
  }

  after(ms: number, run: Run): void {
    this.at(this.now + ms, run);
  }

  async run(until: number): Promise<void> {
    await this.#settled();
    for (let event = this.#pop(until); event; event = this.#pop(until)) {
      this.now = event.time;
      if (event.run() !== false) await this.#settled();
    }
    this.now = until;
  }

  trace(line: string): void {
    const entry = `${this.now.toFixed(3)} ${line}`;
    for (let i = 0; i < entry.length; i++) {
      this.hash = Math.imul(this.hash ^ entry.charCodeAt(i), 0x01000193) >>> 0;
    }
    this.#recent.push({ time: this.now, line: entry });
    if (this.#recent.length > 4_000) this.#recent.splice(0, 2_000);
  }

  /** What happened in the last `ms`. */
  recent(ms: number): string[] {
    return this.#recent.filter(({ time }) => time >= this.now - ms).map(({ line }) => line);
  }

  #pop(until: number): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    if (!first || first.time > until) return undefined;
    const last = heap.pop();
    if (heap.length > 0 && last) {
      heap[0] = last;
      for (let i = 0; ; ) {
        const [left, right] = [2 * i + 1, 2 * i + 2];
        let least = i;
        if (left < heap.length && before(heap[left], heap[least])) least = left;
        if (right < heap.length && before(heap[right], heap[least])) least = right;
        if (least === i) break;
        swap(heap, i, least);
        i = least;
      }
    }
    return first;
  }
}

function before(a: Event | undefined, b: Event | undefined): boolean {
  if (!a || !b) return false;
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}

function swap(heap: Event[], i: number, j: number): void {
  const [a, b] = [heap[i], heap[j]];
  if (a && b) [heap[i], heap[j]] = [b, a];
}

/** A tick waits until no microtask is left, and is cheap. */
const afterMicrotasks = () => new Promise<void>((resolve) => process.nextTick(resolve));
