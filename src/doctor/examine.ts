import type { Dispatcher } from "undici";
import type { Config } from "../config/config.ts";
import { isTestApp } from "../domain/livemode.ts";
import type { Clock } from "../lib/clock.ts";
import type { DoctorArguments } from "./arguments.ts";
import { type Check, checksFor } from "./check.ts";
import { checkHost } from "./host.ts";
import { checkCertificates, checkJwks } from "./keys.ts";
import { checkLedger, type LedgerParts } from "./ledger.ts";
import { checkListeners } from "./listeners.ts";
import { checkStore, type StoreParts } from "./store.ts";
import { checkStored, type Stored, usable } from "./stored.ts";
import { checkEdition, checkSignature, checkToken, failureText, type VendorParts } from "./vendor.ts";

/** What the doctor examines, and with what. */
export interface DoctorTargets {
  config: Config;
  dispatcher: Dispatcher;
  store: StoreParts;
  stored: () => Promise<Stored>;
  /** Undefined if there is none. */
  ledger: LedgerParts | undefined;
  /** `fingerprint` of each secret. */
  secretIds: readonly string[];
  vendor: VendorParts;
  /**
   * Fetches a pair under the lease that all processes share; resolves to the error, or undefined on success.
   */
  fetchPair: () => Promise<unknown>;
  clock: Clock;
}

/** Runs every check, ordered so that one explains the next. */
export async function runChecks(targets: DoctorTargets, options: DoctorArguments): Promise<Check[]> {
  const { config, dispatcher, clock } = targets;
  const { baseUrl, proxy, access, http, grpc, admin, role } = config;
  const doors = role === "refresh" ? {} : { HTTP_ADDR: http, GRPC_ADDR: grpc };
  return [
    checksFor("configuration").ok(`read: edition ${config.edition}, role ${role}`),
    ...config.warnings.map(unmeant),
    ...checkMode(config),
    ...(await checkHost({ baseUrl, proxied: proxy !== undefined }, dispatcher, clock)),
    ...(await checkStore(targets.store)),
    ...(await checkCredentials(targets, options)),
    ...(targets.ledger ? await checkLedger(targets.ledger) : []),
    ...checkCertificates(access.tls, clock.now()),
    await checkJwks(access.jwt?.jwksUrl),
    ...(await checkListeners({ ...doors, ADMIN_ADDR: admin }, admin)),
  ];
}

/** A warning about a setting that is probably a mistake. */
export const unmeant = (warning: string): Check =>
  checksFor("environment").warn(warning, "put it right, or take it away: README, Configuration");

/** Checks that app id and host agree on whether verdicts are about real people. */
function checkMode({ appId, livemode, baseUrl }: Config): Check[] {
  if (!livemode || !isTestApp(appId)) return [];
  const detail = `it looks like one for tests (TIDA…), and ${new URL(baseUrl).host} is the vendor's`;
  return [
    checksFor("app id").warn(detail, "for production, set FACEID_APP_ID to the one that begins with IDA"),
  ];
}

async function checkCredentials(
  targets: DoctorTargets,
  { allowTokenCall, edition }: DoctorArguments,
): Promise<Check[]> {
  const { config, stored: read, secretIds, vendor, store } = targets;
  const { skip } = checksFor("token and app id");
  if (store.location.kind === "memory") return [skip("the pair is in the memory of the running process")];

  const checks: Check[] = [];
  let stored = await read();
  if (
    allowTokenCall &&
    usable(stored) === undefined &&
    stored.kind !== "away" &&
    stored.kind !== "unreadable"
  ) {
    checks.push(await fetchPair(targets));
    stored = await read();
  }
  checks.push(...checkStored(stored, secretIds, config.timings.refreshIntervalMs));
  const pair = usable(stored);
  if (!pair) return [...checks, skip("not asked: there is no token that works")];
  return [
    ...checks,
    await checkToken(pair, vendor),
    await checkSignature(pair, vendor),
    edition
      ? await checkEdition(pair, vendor)
      : checksFor("edition").skip("asked with --edition alone: it uploads an identity"),
  ];
}

async function fetchPair({ fetchPair: fetch, vendor }: DoctorTargets): Promise<Check> {
  const { ok, fail } = checksFor("token call");
  const error = await fetch();
  if (error === undefined) return ok("a pair was fetched, and is in the store");
  const other = vendor.tokenParam === "app_id" ? "appId" : "app_id";
  const text = failureText(error);
  if (text.startsWith("66660001"))
    return fail(`refused (${text})`, `check FACEID_APP_ID, or set FACEID_TOKEN_PARAM=${other}`);
  if (text.startsWith("4001"))
    return fail(`refused (${text})`, "check FACEID_SECRET against the vendor's console");
  return fail(`no token (${text})`, "docs/runbook.md, refresh failing");
}
