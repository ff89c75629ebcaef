import { afterAll, beforeAll, describe, expect } from "vitest";
import { type PostgresLocation, parsePostgresUrl } from "../../src/config/postgres-url.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createPostgresStore } from "../../src/tickets/stores/postgres-store.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";
import { describeStore } from "./store.contract.ts";

const timings = { storeTimeoutMs: 5_000 };

describe.skipIf(missingPostgres())("with a server", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(stopPostgres);

  describeStore("postgres", async () => {
    const url = await server.createDatabase();
    return {
      async open() {
        const store = createPostgresStore({
          location: parsePostgresUrl(url) as PostgresLocation,
          register: "test@host",
          clock: systemClock,
          timings,
        });
        await store.open();
        const works = () =>
          store.read().then(
            () => true,
            () => false,
          );
        await expect.poll(works, { timeout: 30_000 }).toBe(true);
        return store;
      },
      wipe: async () => void (await server.sql(url, "DELETE FROM faceid_tickets")),
    };
  });
});
