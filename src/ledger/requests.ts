import type { Database } from "../database/database.ts";
import type { Clock } from "../lib/clock.ts";
import type { OrderLedger } from "./ledger.ts";
import { requestOf } from "./rows.ts";

/** What repeated request ids of one register are answered with. */
export function createRequests(
  database: Database,
  register: number,
  clock: Clock,
): Pick<OrderLedger, "keepRequest" | "findRequest"> {
  return {
    async keepRequest({ key, print, response, expiresAt }) {
      // The first answer stands until it expires.
      await database.run(
        `INSERT INTO faceid_requests (register, request_key, print, response, expires_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (register, request_key) DO UPDATE
         SET print = excluded.print, response = excluded.response, expires_at = excluded.expires_at
         WHERE faceid_requests.expires_at <= ?`,
        [register, key, print, response, expiresAt, clock.now()],
      );
    },

    async findRequest(key, now) {
      const [row] = await database.all(
        `SELECT request_key, print, response, expires_at FROM faceid_requests
         WHERE register = ? AND request_key = ? AND expires_at > ?`,
        [register, key, now],
      );
      return row && requestOf(row);
    },
  };
}
