import { type Database, list, type Statements, tuples } from "../database/database.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import { HEALTH, healthOf, PARKED, WAITING } from "./rows.ts";

type Endpoints = Pick<DeliveryLedger, "leaseEndpoint" | "releaseEndpoint" | "nextDueAt" | "endpoints">;

/** The endpoints of one register: their leases and their health. */
export function createEndpoints(database: Database, register: number): Endpoints {
  return {
    async leaseEndpoint({ endpoint, token, now, leaseMs, horizonMs }) {
      await addEndpoints(database, register, [endpoint]);
      const [row] = await database.all(
        `UPDATE faceid_endpoints SET token = ?, leased_until = ?
         WHERE register = ? AND name = ?
           AND (token IS NULL OR token = ? OR leased_until <= ? OR leased_until > ?)
         RETURNING ${HEALTH}`,
        [token, now + leaseMs, register, endpoint, token, now, now + horizonMs],
      );
      return row && healthOf(row);
    },

    async releaseEndpoint(endpoint, token) {
      await database.run(
        "UPDATE faceid_endpoints SET token = NULL WHERE register = ? AND name = ? AND token = ?",
        [register, endpoint, token],
      );
    },

    async nextDueAt(endpoint) {
      const [row] = await database.all(
        `SELECT due_at FROM faceid_deliveries
         WHERE endpoint = (SELECT id FROM faceid_endpoints WHERE register = ? AND name = ?) AND state = 1
         ORDER BY due_at LIMIT 1`,
        [register, endpoint],
      );
      return row && Number(row["due_at"]);
    },

    async endpoints(names) {
      if (names.length === 0) return [];
      const rows = await database.all(
        `SELECT name, ${HEALTH},
           (SELECT COUNT(*) FROM faceid_deliveries WHERE endpoint = id AND state = ${WAITING}) AS waiting,
           (SELECT COUNT(*) FROM faceid_deliveries WHERE endpoint = id AND state = ${PARKED}) AS parked
         FROM faceid_endpoints WHERE register = ? AND name IN ${list(names)}`,
        [register, ...names],
      );
      const known = new Map(rows.map((row) => [row["name"], row]));
      return names.map((name) => {
        // One that nothing was ever queued for is not in the table.
        const row = known.get(name) ?? {};
        const { failures = 0, resume_at = 0, waiting = 0, parked = 0 } = row;
        const health = healthOf({ ...row, failures, resume_at });
        return { name, ...health, waiting: Number(waiting), parked: Number(parked) };
      });
    },
  };
}

/** The ids of endpoints by name; one that is not known has none. */
export async function endpointIds(
  { all }: Statements,
  register: number,
  names?: readonly string[],
): Promise<Map<string, number>> {
  if (names?.length === 0) return new Map();
  const rows = await all(
    `SELECT id, name FROM faceid_endpoints WHERE register = ? ${names ? `AND name IN ${list(names)}` : ""}`,
    [register, ...(names ?? [])],
  );
  return new Map(rows.map(({ id, name }) => [String(name), Number(id)]));
}

/** As `endpointIds`, and adds those that are missing. */
export async function addEndpoints(
  statements: Statements,
  register: number,
  names: readonly string[],
): Promise<Map<string, number>> {
  const known = await endpointIds(statements, register, names);
  const missing = names.filter((name) => !known.has(name));
  if (missing.length === 0) return known;
  await statements.run(
    `INSERT INTO faceid_endpoints (register, name) VALUES ${tuples(missing.length, 2)} ON CONFLICT DO NOTHING`,
    missing.flatMap((name) => [register, name]),
  );
  return endpointIds(statements, register, names);
}
