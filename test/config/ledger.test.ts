import { expect, test } from "vitest";
import { parseLedgerUrl } from "../../src/config/ledger.ts";
import { isSamePlace } from "../../src/config/store-url.ts";
import { configOf, problemsOf } from "./problems.ts";

const DAY_MS = 86_400_000;

test("without LEDGER_URL there is no ledger", () => {
  expect(configOf({}).ledger).toBeUndefined();
});

test.each([
  ["memory:", { kind: "memory" }],
  ["sqlite:./data", { kind: "sqlite", directory: "./data" }],
  ["sqlite:/var/lib/faceverification", { kind: "sqlite", directory: "/var/lib/faceverification" }],
])("the ledger of %s", (url, location) => {
  expect(configOf({ LEDGER_URL: url }).ledger).toEqual({ location, retentionMs: 30 * DAY_MS });
});

test("a PostgreSQL URL has its parts percent-decoded, and its password out of sight", () => {
  const url =
    "postgresql://app%40corp:top%3Asecret@db1,[::1]:6432/face%2Fid?sslmode=verify-full&sslrootcert=/ca.pem";
  const location = parseLedgerUrl(url);
  if (typeof location === "string" || location.kind !== "postgres") throw new Error("no PostgreSQL");
  const { password, ...rest } = location;
  expect(rest).toEqual({
    kind: "postgres",
    hosts: [
      { host: "db1", port: 5432 },
      { host: "::1", port: 6432 },
    ],
    database: "face/id",
    user: "app@corp",
    tls: { verify: true, caFile: "/ca.pem" },
  });
  expect(password?.reveal()).toBe("top:secret");
  expect(JSON.stringify(location)).not.toContain("secret");
});

test("a Unix socket, and a server that asks for no password", () => {
  expect(parseLedgerUrl("postgres://app@/faceid?host=/run/postgresql")).toMatchObject({
    hosts: [{ host: "/run/postgresql", port: 5432 }],
    user: "app",
    password: undefined,
    tls: undefined,
  });
});

const FORM = "postgres://USER:PASSWORD@HOST/DATABASE";
test.each([
  ["mysql://root@host/db", `must be sqlite:DIR or ${FORM}; memory: for trials`],
  ["./data", `must be sqlite:DIR or ${FORM}; memory: for trials`],
  ["memory", `must be sqlite:DIR or ${FORM}; memory: for trials`],
  ["sqlite:", "sqlite: must be followed by a directory"],
  ["sqlite://data", "sqlite://DIR would name a host; write sqlite:DIR or sqlite:/DIR"],
  ["postgres://app:s3cret@host", `must be ${FORM}; user and password must be percent-encoded`],
  ["postgres://app:s3/cret@host/db", `must be ${FORM}; user and password must be percent-encoded`],
  ["postgres://host/db", `must name the user: ${FORM}`],
  ["postgres://:s3cret@host/db", `must name the user: ${FORM}`],
  ["postgres://app:s3cret@host/", `must name the database: ${FORM}`],
  ["postgres://app:s3cret%@host/db", "user, password and database must be percent-encoded"],
  ["postgres://app:s3cret@/db", "every host must be HOST or HOST:PORT"],
  ["postgres://app:s3cret@host:0/db", "every host must be HOST or HOST:PORT"],
  ["postgres://app:s3cret@a,,b/db", "every host must be HOST or HOST:PORT"],
  ["postgres://app:s3cret@host/db?sslmode=prefer", "sslmode must be disable, require or verify-full"],
  [
    "postgres://app:s3cret@host/db?options=-c",
    "has an option after ? that is not known; known are sslmode, sslrootcert, host",
  ],
  [
    "postgres://app:s3cret@host/db?host=/run",
    "?host= takes the directory of a Unix socket, in place of the host",
  ],
])("LEDGER_URL=%s is refused in one sentence without the URL", (url, sentence) => {
  expect(problemsOf({ LEDGER_URL: url })).toEqual([`LEDGER_URL: ${sentence}`]);
  expect(sentence).not.toContain("s3");
});

test("the retention is in days, and not shorter than events are delivered", () => {
  expect(configOf({ LEDGER_URL: "memory:", LEDGER_RETENTION: "3d" }).ledger?.retentionMs).toBe(3 * DAY_MS);
  expect(configOf({ LEDGER_URL: "memory:", LEDGER_RETENTION: "400d" }).ledger?.retentionMs).toBe(
    400 * DAY_MS,
  );
  expect(problemsOf({ LEDGER_RETENTION: "71h" })).toEqual([
    "LEDGER_RETENTION: must be at least 3d, for as long as events are delivered",
  ]);
});

test.each([
  ["postgres://a:old@host/db", "postgres://b:new@host/db", true],
  ["postgres://a@host/db", "postgres://a@host:5432/db", true],
  ["postgres://a@host/db", "postgres://a@host/other", false],
  ["postgres://a@host/db", "postgres://a@host/db?sslmode=require", false],
  ["sqlite:a", "sqlite:b", false],
])("whether %s and %s are the same ledger is %s", (one, other, same) => {
  expect(isSamePlace(parseLedgerUrl(one) as object, parseLedgerUrl(other) as object)).toBe(same);
});
