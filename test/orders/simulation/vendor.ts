import { codeEntry } from "../../../src/domain/codes.ts";
import { UpstreamError } from "../../../src/errors.ts";
import type { QueryOrder } from "../../../src/handlers/query-order.ts";
import type { World } from "../../simulation/world.ts";

/** The vendor's records, as far as a query shows them. */
export class Vendor {
  readonly world: World;
  down = false;
  /** By order number: the code that a query has from `at` on. */
  readonly #records = new Map<string, { at: number; code: string }>();
  /** When each order was asked about, and by whom. */
  readonly asked = new Map<string, { at: number; by: string }[]>();
  #serial = 0;

  constructor(world: World) {
    this.world = world;
  }

  /** A capture that ends after `ms` with `code`. */
  capture(orderNo: string, ms: number, code: string): void {
    this.#records.set(orderNo, { at: this.world.now + ms, code });
  }

  /** The code of a capture that has ended; undefined if there is none. */
  codeOf(orderNo: string): string | undefined {
    return this.#records.get(orderNo)?.code;
  }

  /** When the capture ends. */
  endOf(orderNo: string): number | undefined {
    return this.#records.get(orderNo)?.at;
  }

  query(orderNo: string, by: string): Awaited<ReturnType<QueryOrder>> {
    const asked = this.asked.get(orderNo) ?? [];
    this.asked.set(orderNo, asked);
    asked.push({ at: this.world.now, by });
    if (this.down) throw new UpstreamError("query", "not_sent");
    const record = this.#records.get(orderNo);
    const entry = codeEntry(record && record.at <= this.world.now ? record.code : "66660011");
    const evidence = { code: entry.code, bizSeqNo: String(this.#serial++) };
    return { entry, evidence, photo: undefined, video: undefined, unreadable: [] };
  }
}
