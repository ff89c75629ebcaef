import { chunks, type Database, type Transaction, tuples, type Value } from "../database/database.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Delivery, DeliveryLedger } from "./delivery-ledger.ts";
import { addEndpoints, endpointIds } from "./endpoints.ts";
import { DELIVERY, deliveryOf, PARKED } from "./rows.ts";

/** The channel on which ends and queued deliveries are announced. */
export const CHANNEL = "faceid_ledger";

/** Events that one transaction of `recover` queues. */
const BATCH = 500;

/** A delivery with its order and endpoint. */
const DELIVERIES = `SELECT ${DELIVERY} FROM faceid_deliveries d
  JOIN faceid_endpoints e ON e.id = d.endpoint
  JOIN faceid_orders o ON o.register = e.register AND o.sequence = d.sequence`;

type Deliveries = Pick<
  DeliveryLedger,
  "dueDeliveries" | "settle" | "listDeliveries" | "redeliver" | "recover"
>;

/** The deliveries of one register. */
export function createDeliveries(database: Database, register: number): Deliveries {
  const { forUpdate } = database.dialect;

  return {
    async dueDeliveries({ endpoint, now, limit, horizonMs }) {
      const rows = await database.all(
        // One endpoint by its id, so that the index has them in sequence.
        `${DELIVERIES} WHERE d.endpoint = (SELECT id FROM faceid_endpoints WHERE register = ? AND name = ?)
           AND d.state = 1 AND (d.due_at <= ? OR d.due_at > ?) AND o.register = ?
         ORDER BY d.sequence LIMIT ?`,
        [register, endpoint, now, now + horizonMs, register, limit],
      );
      return rows.map(deliveryOf);
    },

    settle: ({ endpoint, token, sequence, delivery, health }) =>
      database.transaction(async ({ all, run }) => {
        const [row] = await all(
          `SELECT id FROM faceid_endpoints WHERE register = ? AND name = ? AND token = ? ${forUpdate}`,
          [register, endpoint, token],
        );
        const id = row?.["id"];
        if (id === undefined) return false;
        const { state, attempts, dueAt, triedAt, result, replay } = delivery;
        await run(
          `UPDATE faceid_deliveries
           SET state = ?, attempts = ?, due_at = ?, tried_at = ?, result = ?, replay = ?
           WHERE endpoint = ? AND sequence = ?`,
          [state, attempts, dueAt, triedAt ?? null, result, Number(replay), id, sequence],
        );
        if (health) {
          await run("UPDATE faceid_endpoints SET failures = ?, resume_at = ?, stopped_at = ? WHERE id = ?", [
            health.failures,
            health.resumeAt,
            health.stoppedAt ?? null,
            id,
          ]);
        }
        return true;
      }),

    async listDeliveries({ endpoint, state, orderNo }, { size, after }) {
      const ids = await endpointIds(database, register, endpoint === undefined ? undefined : [endpoint]);
      const given: [string, Value][] = [];
      if (state !== undefined) given.push(["AND d.state = ?", state]);
      if (orderNo !== undefined) given.push(["AND o.order_no = ?", orderNo]);
      const listed: Delivery[] = [];
      // The index is by endpoint, so each has its own page, of which the newest are the page of all.
      for (const [name, id] of ids) {
        const conditions = [...given];
        if (after) {
          conditions.push([`AND d.sequence ${name > after.endpoint ? "<=" : "<"} ?`, after.sequence]);
        }
        const rows = await database.all(
          `${DELIVERIES} WHERE d.endpoint = ? AND o.register = ? ${conditions.map(([sql]) => sql).join(" ")}
           ORDER BY d.sequence DESC LIMIT ?`,
          [id, register, ...conditions.map(([, value]) => value), size],
        );
        listed.push(...rows.map(deliveryOf));
      }
      return listed.sort(newestFirst).slice(0, size);
    },

    redeliver: (orderNo, endpoints, now) =>
      database.transaction(async (transaction) => {
        const [row] = await transaction.all(
          "SELECT sequence FROM faceid_orders WHERE register = ? AND order_no = ? AND sequence IS NOT NULL",
          [register, orderNo],
        );
        if (!row) return 0;
        const ids = await addEndpoints(transaction, register, endpoints);
        const sequence = Number(row["sequence"]);
        return requeue(
          transaction,
          [...ids.values()].map((id) => ({ id, sequence })),
          now,
        );
      }),

    async recover({ endpoint, since, until, now }) {
      const restarted = await database.transaction(async (transaction) => {
        await addEndpoints(transaction, register, [endpoint]);
        const [row] = await transaction.all(
          `SELECT id, stopped_at FROM faceid_endpoints WHERE register = ? AND name = ? ${forUpdate}`,
          [register, endpoint],
        );
        await transaction.run(
          "UPDATE faceid_endpoints SET failures = 0, resume_at = 0, stopped_at = NULL WHERE id = ?",
          [Number(row?.["id"])],
        );
        await transaction.notify(CHANNEL);
        return row?.["stopped_at"] !== null;
      });
      const id = (await endpointIds(database, register, [endpoint])).get(endpoint) ?? 0;
      // What waits already only has to wait no longer.
      await database.run(
        `UPDATE faceid_deliveries SET due_at = ? WHERE endpoint = ? AND state = 1 AND due_at > ?
           AND sequence IN (SELECT sequence FROM faceid_orders
             WHERE register = ? AND sequence IS NOT NULL AND ended_at >= ? AND ended_at < ?)`,
        [now, id, now, register, since, until],
      );
      let queued = 0;
      for (;;) {
        const rows = await database.all(
          `SELECT o.sequence FROM faceid_orders o
           LEFT JOIN faceid_deliveries d ON d.endpoint = ? AND d.sequence = o.sequence
           WHERE o.register = ? AND o.sequence IS NOT NULL AND o.ended_at >= ? AND o.ended_at < ?
             AND (d.state IS NULL OR d.state = ${PARKED})
           ORDER BY o.ended_at, o.sequence LIMIT ${BATCH}`,
          [id, register, since, until],
        );
        const places = rows.map(({ sequence }) => ({ id, sequence: Number(sequence) }));
        if (places.length === 0) return { queued, restarted };
        // Others have their turn between two batches.
        await resumeTogether();
        queued += await database.transaction((transaction) => requeue(transaction, places, now));
      }
    },
  };
}

/** Queues an event for its endpoints, for the first time. */
export async function queueDeliveries(
  transaction: Transaction,
  queue: { register: number; sequence: number; endpoints: readonly string[]; now: number },
): Promise<void> {
  const ids = await addEndpoints(transaction, queue.register, queue.endpoints);
  if (ids.size === 0) return;
  await transaction.run(
    `INSERT INTO faceid_deliveries (endpoint, sequence, queued_at, due_at) VALUES ${tuples(ids.size, 4)}
     ON CONFLICT DO NOTHING`,
    [...ids.values()].flatMap((id) => [id, queue.sequence, queue.now, queue.now]),
  );
}

/** Queues events as replays, whatever became of them before; the number queued. */
async function requeue(
  transaction: Transaction,
  places: readonly { id: number; sequence: number }[],
  now: number,
): Promise<number> {
  for (const some of chunks(places, 100)) {
    await transaction.run(
      `INSERT INTO faceid_deliveries (endpoint, sequence, queued_at, due_at, replay)
       VALUES ${tuples(some.length, 5)}
       ON CONFLICT (endpoint, sequence) DO UPDATE SET state = 1, attempts = 0, queued_at = excluded.queued_at,
         due_at = excluded.due_at, replay = excluded.replay`,
      some.flatMap(({ id, sequence }) => [id, sequence, now, now, 1]),
    );
  }
  await transaction.notify(CHANNEL);
  return places.length;
}

const newestFirst = (a: Delivery, b: Delivery) =>
  b.sequence - a.sequence || (a.endpoint < b.endpoint ? -1 : 1);
