import { parentPort, workerData } from "node:worker_threads";
import { createSqlite } from "../database/sqlite.ts";
import { StoreError } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { createDatabaseLedger } from "./database-ledger.ts";
import { askOf } from "./methods.ts";
import { failureOf, type Question, type Said, type ThreadData } from "./thread-messages.ts";

// The ledger's own thread (`threaded-ledger.ts`): SQLite blocks this one only.
const { file, register } = workerData as ThreadData;
const ledger = createDatabaseLedger(createSqlite(file), { register, clock: systemClock });
const ask = askOf(ledger);
const say = (said: Said) => parentPort?.postMessage(said);

async function answer({ op, args, until }: Question): Promise<unknown> {
  if (op === "open") return ledger.open();
  if (op === "close") return ledger.close();
  // It has waited behind another process's write, and nobody waits for it any more.
  if (systemClock.now() > until) throw new StoreError(op, "TIMEOUT");
  return ask(op, args);
}

parentPort?.on("message", (question: Question) => {
  const { id } = question;
  answer(question).then(
    (value) => {
      say({ id, value });
      if (question.op === "close") parentPort?.close();
    },
    (error: unknown) => say({ id, failure: failureOf(error) }),
  );
});
ledger.watch(() => say("hint"));
