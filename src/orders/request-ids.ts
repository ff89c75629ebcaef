import type { Ledger } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import type { Pseudonym } from "../lib/keyed-hash.ts";
import type { Sealer } from "../tickets/sealer.ts";
import type { RequestIds } from "./orders.ts";
import type { Recorder } from "./recorder.ts";

export interface RequestIdsOptions {
  ledger: Pick<Ledger, "keepRequest" | "findRequest">;
  recorder: Pick<Recorder, "write">;
  /** Runs a read of the ledger; undefined if it is unreachable. */
  read: <T>(work: () => Promise<T>) => Promise<T | undefined>;
  /** Hides request ids and whose they are. */
  pseudonym: Pseudonym;
  /** Encrypts launches, which contain signatures. */
  sealer: Sealer;
  clock: Clock;
}

/** How long a request id holds, milliseconds. */
const LIFE_MS = 24 * 60 * 60 * 1000;

/** Request ids in the ledger, by hash, with what they are answered with, sealed. */
export function createRequestIds(options: RequestIdsOptions): RequestIds {
  const { ledger, recorder, read, pseudonym, sealer, clock } = options;
  /** The key prevents one launch from being opened as another's. */
  const identityOf = (key: string) => ({ generation: 0, kind: `launch request ${key}` }) as const;

  return {
    async find(id) {
      const key = pseudonym(`request\0${id}`);
      const kept = await read(() => ledger.findRequest(key, clock.now()));
      if (!kept) return undefined;
      const opened = sealer.open(kept.response, identityOf(key));
      return opened.ok ? { print: kept.print, response: opened.plain } : undefined;
    },
    async keep(id, { print, response }) {
      const key = pseudonym(`request\0${id}`);
      const sealed = sealer.seal(response, identityOf(key));
      const kept = { key, print, response: sealed, expiresAt: clock.now() + LIFE_MS };
      await recorder.write(() => ledger.keepRequest(kept)).settled();
    },
  };
}
