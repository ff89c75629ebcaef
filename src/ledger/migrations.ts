import type { Schema } from "../database/migrate.ts";

/**
 * The ledger's tables, a version each. Never change one that was released: add another. A state of an order or of a
 * delivery is the number of the contract's enumeration (order.proto, delivery_admin_service.proto), so 1 is an order
 * without an end, and a delivery that is waiting. Times are milliseconds since the epoch.
 */
const migrations: Schema["migrations"] = [
  ({ identity, text, clustered }) => [
    `CREATE TABLE faceid_registers (
      id ${identity},
      name ${text} NOT NULL UNIQUE,
      last_sequence BIGINT NOT NULL DEFAULT 0,
      swept BIGINT NOT NULL DEFAULT 0
    )`,

    `CREATE TABLE faceid_orders (
      register INTEGER NOT NULL,
      order_no ${text} NOT NULL,
      user_id ${text} NOT NULL,
      reference ${text} NOT NULL,
      created_at BIGINT NOT NULL,
      with_photo SMALLINT NOT NULL,
      livemode SMALLINT NOT NULL,
      state SMALLINT NOT NULL DEFAULT 1,
      due_at BIGINT NOT NULL,
      token ${text},
      attempts INTEGER NOT NULL DEFAULT 0,
      quiet_since BIGINT,
      ended_at BIGINT,
      sequence BIGINT,
      outcome ${text},
      PRIMARY KEY (register, order_no)
    )`,
    // A page of any number of orders is read in the order of its index.
    "CREATE INDEX faceid_orders_created ON faceid_orders (register, created_at, order_no)",
    "CREATE INDEX faceid_orders_state ON faceid_orders (register, state, created_at, order_no)",
    // Without the order number, which is long: orders of one person or reference are few, and sorted when they are read.
    "CREATE INDEX faceid_orders_user ON faceid_orders (register, user_id, created_at)",
    `CREATE INDEX faceid_orders_reference ON faceid_orders (register, reference, created_at)
      WHERE reference <> ''`,
    "CREATE INDEX faceid_orders_due ON faceid_orders (register, due_at) WHERE state = 1",
    `CREATE UNIQUE INDEX faceid_orders_sequence ON faceid_orders (register, sequence)
      WHERE sequence IS NOT NULL`,
    `CREATE INDEX faceid_orders_ended ON faceid_orders (register, ended_at, sequence)
      WHERE sequence IS NOT NULL`,

    `CREATE TABLE faceid_endpoints (
      id ${identity},
      register INTEGER NOT NULL,
      name ${text} NOT NULL,
      token ${text},
      leased_until BIGINT NOT NULL DEFAULT 0,
      failures INTEGER NOT NULL DEFAULT 0,
      resume_at BIGINT NOT NULL DEFAULT 0,
      stopped_at BIGINT,
      UNIQUE (register, name)
    )`,

    `CREATE TABLE faceid_deliveries (
      endpoint INTEGER NOT NULL,
      sequence BIGINT NOT NULL,
      state SMALLINT NOT NULL DEFAULT 1,
      attempts INTEGER NOT NULL DEFAULT 0,
      queued_at BIGINT NOT NULL,
      due_at BIGINT NOT NULL,
      tried_at BIGINT,
      result ${text} NOT NULL DEFAULT '',
      replay SMALLINT NOT NULL DEFAULT 0,
      PRIMARY KEY (endpoint, sequence)
    ) ${clustered}`,
    "CREATE INDEX faceid_deliveries_state ON faceid_deliveries (endpoint, state, sequence)",
    "CREATE INDEX faceid_deliveries_due ON faceid_deliveries (endpoint, due_at) WHERE state = 1",

    `CREATE TABLE faceid_requests (
      register INTEGER NOT NULL,
      request_key ${text} NOT NULL,
      print ${text} NOT NULL,
      response ${text} NOT NULL,
      expires_at BIGINT NOT NULL,
      PRIMARY KEY (register, request_key)
    ) ${clustered}`,
    "CREATE INDEX faceid_requests_expiry ON faceid_requests (register, expires_at)",
  ],
  ({ text }) => [
    `ALTER TABLE faceid_orders ADD COLUMN link_id ${text} NOT NULL DEFAULT ''`,
    "CREATE INDEX faceid_orders_link ON faceid_orders (register, link_id, created_at) WHERE link_id <> ''",
  ],
];

export const LEDGER_SCHEMA: Schema = { part: "ledger", migrations, variable: "LEDGER_URL" };
