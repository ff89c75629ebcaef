import {
  chunks,
  type Database,
  list,
  type Statements,
  type Transaction,
  tuples,
  type Value,
} from "../database/database.ts";
import { CHANNEL, queueDeliveries } from "./deliveries.ts";
import type { LedgerOrder, NewOrder, OrderCursor, OrderFilter, OrderLedger } from "./ledger.ts";
import { NEW_ORDER, newOrderValues, ORDER, optional, orderOf, outcomeOf } from "./rows.ts";

/** Rows of one INSERT or DELETE. */
const BATCH = 100;

/** The orders of one register. */
export function createOrders(
  database: Database,
  register: number,
): Omit<OrderLedger, "keepRequest" | "findRequest" | "sweep"> {
  const { forUpdate, skipLocked } = database.dialect;

  async function nextSequence({ all }: Transaction): Promise<number> {
    // The row stays locked until the end commits: no later sequence is visible before an earlier one.
    const [row] = await all(
      "UPDATE faceid_registers SET last_sequence = last_sequence + 1 WHERE id = ? RETURNING last_sequence",
      [register],
    );
    return Number(row?.["last_sequence"]);
  }

  async function insert({ run }: Statements, orders: readonly NewOrder[]): Promise<void> {
    await run(
      `INSERT INTO faceid_orders (${NEW_ORDER}) VALUES ${tuples(orders.length, 9)} ON CONFLICT DO NOTHING`,
      orders.flatMap((order) => newOrderValues(register, order)),
    );
  }

  return {
    async put(orders) {
      const [first, ...rest] = chunks(orders, BATCH);
      if (!first) return;
      // One statement is a transaction by itself, and the usual case.
      if (rest.length === 0) return insert(database, first);
      await database.transaction(async (transaction) => {
        for (const some of [first, ...rest]) await insert(transaction, some);
      });
    },

    discard: (orderNos) =>
      database.transaction(async ({ run }) => {
        for (const some of chunks(orderNos, BATCH)) {
          await run(
            `DELETE FROM faceid_orders WHERE register = ? AND order_no IN ${list(some)} AND state = 1`,
            [register, ...some],
          );
        }
      }),

    async find(orderNo) {
      const [row] = await database.all(
        `SELECT ${ORDER} FROM faceid_orders WHERE register = ? AND order_no = ?`,
        [register, orderNo],
      );
      return row && orderOf(row);
    },

    async list(filter, { size, after }) {
      const { sql, values } = condition(filter, after);
      const rows = await database.all(
        `SELECT ${ORDER} FROM faceid_orders WHERE register = ? ${sql}
         ORDER BY created_at DESC, order_no DESC LIMIT ?`,
        [register, ...values, size],
      );
      return rows.map(orderOf);
    },

    async claim({ token, now, limit, leaseMs, horizonMs }) {
      const claimed: LedgerOrder[] = [];
      const ranges = [`due_at <= ?`, `due_at > ?`];
      for (const [i, bound] of [now, now + horizonMs].entries()) {
        if (claimed.length === limit) break;
        const rows = await database.all(
          `WITH due AS MATERIALIZED (
             SELECT order_no AS due_no FROM faceid_orders
             WHERE register = ? AND state = 1 AND ${ranges[i]}
             ORDER BY due_at LIMIT ? ${skipLocked}
           )
           UPDATE faceid_orders SET due_at = ?, token = ?, attempts = attempts + 1 FROM due
           WHERE register = ? AND order_no = due_no RETURNING ${ORDER}`,
          [register, bound, limit - claimed.length, now + leaseMs, token, register],
        );
        claimed.push(...rows.map(orderOf));
      }
      return claimed;
    },

    async postpone(orderNo, token, { dueAt, quietSince }) {
      const changed = await database.run(
        `UPDATE faceid_orders SET due_at = ?, token = NULL, quiet_since = COALESCE(?, quiet_since)
         WHERE register = ? AND order_no = ? AND state = 1 AND token = ?`,
        [dueAt, quietSince ?? null, register, orderNo, token],
      );
      return changed === 1;
    },

    end: (orderNo, end, { token, endpoints }) =>
      database.transaction(async (transaction) => {
        const [row] = await transaction.all(
          `SELECT ${ORDER}, token FROM faceid_orders WHERE register = ? AND order_no = ? ${forUpdate}`,
          [register, orderNo],
        );
        if (!row) return undefined;
        const order = orderOf(row);
        if (order.end || (token !== undefined && row["token"] !== token)) return order;
        const sequence = await nextSequence(transaction);
        await transaction.run(
          `UPDATE faceid_orders SET state = ?, ended_at = ?, sequence = ?, outcome = ?, token = NULL
           WHERE register = ? AND order_no = ?`,
          [end.state, end.endedAt, sequence, outcomeOf(end), register, orderNo],
        );
        await queueDeliveries(transaction, { register, sequence, endpoints, now: end.endedAt });
        await transaction.notify(CHANNEL);
        return { ...order, state: end.state, end: { ...end, sequence } };
      }),

    async position() {
      const [row] = await database.all("SELECT last_sequence, swept FROM faceid_registers WHERE id = ?", [
        register,
      ]);
      return { last: Number(row?.["last_sequence"]), swept: Number(row?.["swept"]) };
    },

    async endedAfter(sequence, limit) {
      const rows = await database.all(
        `SELECT ${ORDER} FROM faceid_orders WHERE register = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
        [register, sequence, limit],
      );
      return rows.map(orderOf);
    },

    async counts() {
      const [row] = await database.all(
        `SELECT COUNT(*) AS open_orders, MIN(due_at) AS oldest_due_at,
           (SELECT MIN(created_at) FROM faceid_orders WHERE register = ? AND state = 1) AS oldest_created_at
         FROM faceid_orders WHERE register = ? AND state = 1`,
        [register, register],
      );
      return {
        open: Number(row?.["open_orders"]),
        oldestCreatedAt: optional(row?.["oldest_created_at"]),
        oldestDueAt: optional(row?.["oldest_due_at"]),
      };
    },
  };
}

/** The filter and the place to go on from as SQL; what is undefined is no condition. */
function condition(filter: OrderFilter, after: OrderCursor | undefined): { sql: string; values: Value[] } {
  const given: readonly (readonly [string, ...(Value | undefined)[]])[] = [
    ["state = ?", filter.state],
    // The first half is the index's own condition.
    ["reference <> '' AND reference = ?", filter.reference],
    ["user_id = ?", filter.userId],
    ["link_id <> '' AND link_id = ?", filter.linkId],
    ["created_at >= ?", filter.createdSince],
    ["created_at < ?", filter.createdBefore],
    ["(created_at, order_no) < (?, ?)", after?.createdAt, after?.orderNo],
  ];
  const used = given.filter(([, value]) => value !== undefined);
  return {
    sql: used.map(([sql]) => `AND ${sql}`).join(" "),
    values: used.flatMap(([, ...values]) => values as Value[]),
  };
}
