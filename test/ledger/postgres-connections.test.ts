import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type PostgresLocation, parsePostgresUrl } from "../../src/config/postgres-url.ts";
import type { Database } from "../../src/database/database.ts";
import { createPostgres } from "../../src/database/postgres.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createAuthority } from "../support/certificates.ts";
import { missingPostgres, type PostgresServer, startPostgres, stopPostgres } from "../support/postgres.ts";

/** How the server sees the connection that asks. */
const CONNECTION =
  "SELECT ssl, inet_client_addr() IS NULL AS socket FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

describe.skipIf(missingPostgres())("connections to PostgreSQL", () => {
  let server: PostgresServer;
  let url: string;
  let directory: string;
  const opened: Database[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "authority-"));
    using authority = createAuthority();
    using stranger = createAuthority();
    writeFileSync(join(directory, "ca.pem"), authority.ca);
    writeFileSync(join(directory, "stranger.pem"), stranger.ca);
    server = await startPostgres({ tls: authority.issue("database", "DNS:database.example") });
    url = await server.createDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.stop()));
  });
  afterAll(async () => {
    await stopPostgres();
    rmSync(directory, { recursive: true });
  });

  async function ask(text: string): Promise<unknown> {
    const database = createPostgres({
      location: parsePostgresUrl(text) as PostgresLocation,
      clock: systemClock,
    });
    opened.push(database);
    await database.start();
    const [row] = await database.all(CONNECTION);
    return row;
  }

  test.each([
    ["without an option it is cleartext", "", { ssl: false, socket: false }],
    ["sslmode=require encrypts it", "?sslmode=require", { ssl: true, socket: false }],
    ["sslmode=verify-full encrypts it", "?sslmode=verify-full&sslrootcert=CA", { ssl: true, socket: false }],
  ])("%s", async (_what, options, connection) => {
    const file = encodeURIComponent(join(directory, "ca.pem"));
    expect(await ask(`${url}${options.replace("CA", file)}`)).toEqual(connection);
  });

  test.each([
    [
      "an authority that did not issue the certificate",
      "127.0.0.1",
      "stranger.pem",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    ["a host that the certificate does not name", "localhost", "ca.pem", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ])("sslmode=verify-full refuses %s", async (_what, host, file, code) => {
    const options = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(join(directory, file))}`;
    await expect(ask(`${url.replace("127.0.0.1", host)}${options}`)).rejects.toMatchObject({
      name: "StoreError",
      code,
    });
  });

  test("?host= leads through the server's Unix socket", async () => {
    const name = new URL(url).pathname;
    const text = `postgres://postgres@:${server.port}${name}?host=${encodeURIComponent(server.directory)}`;
    expect(await ask(text)).toEqual({ ssl: false, socket: true });
  });
});
