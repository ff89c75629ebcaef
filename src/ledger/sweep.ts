import { chunks, type Database, list } from "../database/database.ts";
import { endpointIds } from "./endpoints.ts";
import type { OrderLedger } from "./ledger.ts";

/** Rows of one DELETE by number. */
const BATCH = 500;

/** Deletes what has been kept long enough. */
export function createSweep(database: Database, register: number): Pick<OrderLedger, "sweep"> {
  return {
    sweep: ({ before, now, limit }) =>
      database.transaction(async ({ all, run }) => {
        const rows = await all(
          `DELETE FROM faceid_orders WHERE register = ? AND sequence IN (
             SELECT sequence FROM faceid_orders WHERE register = ? AND sequence IS NOT NULL AND ended_at < ?
             ORDER BY ended_at, sequence LIMIT ?
           ) RETURNING sequence`,
          [register, register, before, limit],
        );
        const sequences = rows.map(({ sequence }) => Number(sequence));
        const endpoints = [...(await endpointIds({ all, run }, register)).values()];
        for (const some of endpoints.length > 0 ? chunks(sequences, BATCH) : []) {
          await run(
            `DELETE FROM faceid_deliveries WHERE endpoint IN ${list(endpoints)} AND sequence IN ${list(some)}`,
            [...endpoints, ...some],
          );
        }
        if (sequences.length > 0) {
          const swept = sequences.reduce((a, b) => Math.max(a, b));
          await run("UPDATE faceid_registers SET swept = ? WHERE id = ? AND swept < ?", [
            swept,
            register,
            swept,
          ]);
        }
        const requests = await run(
          `DELETE FROM faceid_requests WHERE register = ? AND request_key IN (
             SELECT request_key FROM faceid_requests WHERE register = ? AND expires_at <= ? LIMIT ?
           )`,
          [register, register, now, limit],
        );
        return sequences.length + requests;
      }),
  };
}
