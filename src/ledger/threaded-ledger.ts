import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { OperatorError, StoreError } from "../errors.ts";
import { createChangeHints } from "../lib/change-hints.ts";
import { after, systemClock } from "../lib/clock.ts";
import { type FileSystemType, makePrivate } from "../lib/private-directory.ts";
import type { Ledger } from "./ledger.ts";
import { methodsBy } from "./methods.ts";
import { type Answer, errorOf, type Question, type Said, type ThreadData } from "./thread-messages.ts";

/** How long an operation may take, milliseconds; `recover` works through any number of events. */
const LIMIT_MS = 1_200;
const LONG_LIMIT_MS = 60_000;
/** From the start of a thread to that of the next, if it ends by itself, milliseconds. */
const RESTART_MS = 1_000;

/** With the extension of this file: what is built is JavaScript. */
const THREAD = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

interface Pending {
  settle: (said: Answer) => void;
  fail: (code: string) => void;
}

export interface ThreadedLedgerOptions {
  /** Holds `ledger.db`; created if missing. */
  directory: string;
  register: string;
  fileSystemType?: FileSystemType;
}

/**
 * The ledger in a file, in a thread of its own: neither the way to the disk nor another process's write blocks this one.
 * A thread that ends by itself is replaced; what was asked of it rejects.
 */
export function createThreadedLedger({ directory, register, fileSystemType }: ThreadedLedgerOptions): Ledger {
  const workerData: ThreadData = { file: join(directory, "ledger.db"), register };
  const pending = new Map<number, Pending>();
  const hints = createChangeHints();
  let worker: Worker | undefined;
  let startedAt = Number.NEGATIVE_INFINITY;
  /** Since something was not answered in time, until anything is: no more is asked meanwhile. */
  let hangs = false;
  let closed = false;
  let lastId = 0;

  function start(): Worker {
    startedAt = systemClock.monotonic();
    const thread = new Worker(THREAD, { workerData, name: "ledger" });
    thread.on("message", (said: Said) => {
      if (said === "hint") return hints.fire();
      hangs = false;
      pending.get(said.id)?.settle(said);
    });
    // It ends right after; without a listener the process would.
    thread.on("error", () => undefined);
    thread.on("exit", () => {
      worker = undefined;
      hangs = false;
      for (const { fail } of pending.values()) fail("THREAD_ENDED");
    });
    return thread;
  }

  /** Why the thread cannot be asked now. */
  function unavailable(): string | undefined {
    if (closed) return "CLOSED";
    if (hangs) return "TIMEOUT";
    const restarting = !worker && systemClock.monotonic() - startedAt < RESTART_MS;
    return restarting ? "THREAD_ENDED" : undefined;
  }

  async function ask(op: Question["op"], args: readonly unknown[] = []): Promise<unknown> {
    const why = unavailable();
    if (why) throw new StoreError(op, why);
    worker ??= start();
    const limitMs = op === "recover" ? LONG_LIMIT_MS : LIMIT_MS;
    const id = ++lastId;
    const answer = wait(id, op, limitMs);
    worker.postMessage({ id, op, args, until: systemClock.now() + limitMs } satisfies Question);
    return answer;
  }

  function wait(id: number, op: Question["op"], limitMs: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (code: string) => reject(new StoreError(op, code));
    const stop = after(limitMs, () => {
      hangs = true;
      fail("TIMEOUT");
    });
    const settle = (said: Answer) => {
      if ("failure" in said) reject(errorOf(op, said.failure));
      else resolve(said.value);
    };
    pending.set(id, { settle, fail });
    return promise.finally(() => {
      stop();
      pending.delete(id);
    });
  }

  return {
    ...methodsBy(ask),
    async open() {
      const why = await makePrivate(directory, fileSystemType);
      if (why) {
        throw new OperatorError(
          `the ledger cannot use the directory ${directory}: ${why}; choose another LEDGER_URL`,
        );
      }
      await ask("open");
    },
    async close() {
      if (closed) return;
      hints.close();
      if (worker) await ask("close").catch(() => undefined);
      closed = true;
      await worker?.terminate();
    },
    watch: (listener) => hints.watch(listener),
  };
}
