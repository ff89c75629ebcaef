import { readFileSync } from "node:fs";
import { type Config, ConfigError, readConfig } from "../config/config.ts";
import { UsageError } from "../lib/cli.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Environment } from "../lib/environment.ts";
import { Secret } from "../lib/redacted.ts";
import { type DoctorArguments, type ExplainArguments, readDoctorArguments } from "./arguments.ts";
import { type Check, checksFor, codeOf } from "./check.ts";
import { openDoctor } from "./composition.ts";
import { runChecks, unmeant } from "./examine.ts";
import { explainSignature } from "./explain.ts";
import { checksAsJson, exitCodeOf, printTable } from "./report.ts";

const readFile = (path: string) => readFileSync(path, "utf8");

/** Read-only defaults: no token call, no upload. */
const CAUTIOUS: DoctorArguments = { json: false, allowTokenCall: false, edition: false, explain: undefined };

/** Checks everything a service with this configuration depends on. */
export async function diagnose(
  config: Config,
  options: DoctorArguments = CAUTIOUS,
  clock: Clock = systemClock,
): Promise<Check[]> {
  const { targets, connect, close } = openDoctor(config, clock);
  await connect();
  try {
    return await runChecks(targets, options);
  } finally {
    await close();
  }
}

async function explain(request: ExplainArguments, env: Environment, clock: Clock): Promise<string> {
  if (request.ticketFile !== undefined) {
    const appId = request.appId ?? env["FACEID_APP_ID"] ?? "";
    return explainSignature(request, appId, readTicket(request.ticketFile));
  }
  if (request.call === "launch")
    throw new UsageError("launch is signed with a NONCE ticket, which no store holds: give --ticket-file");
  const config = readConfig(env, readFile);
  const { targets, connect, close } = openDoctor(config, clock);
  await connect();
  try {
    const stored = await targets.stored();
    if (stored.kind !== "pair") {
      const why = stored.kind === "away" ? `it is away: ${stored.code}` : `its record is ${stored.kind}`;
      throw new UsageError(
        `the store has no SIGN ticket that can be read (${why}): run the doctor, or give --ticket-file`,
      );
    }
    return explainSignature(request, request.appId ?? config.appId, stored.issued.signTicket);
  } finally {
    await close();
  }
}

function readTicket(path: string): Secret {
  try {
    return new Secret(readFile(path).trim());
  } catch (error) {
    throw new UsageError(`--ticket-file: cannot be read (${codeOf(error)})`);
  }
}

/** Runs the doctor for a command line; returns its output and exit code. */
export async function runDoctor(
  args: readonly string[],
  env: Environment,
  clock: Clock = systemClock,
): Promise<{ text: string; exitCode: number }> {
  try {
    const options = readDoctorArguments(args);
    if (options.explain) return { text: await explain(options.explain, env, clock), exitCode: 0 };
    const checks = await checked(options, env, clock);
    return { text: (options.json ? checksAsJson : printTable)(checks), exitCode: exitCodeOf(checks) };
  } catch (error) {
    if (error instanceof UsageError)
      return { text: error.message, exitCode: args.includes("--help") ? 0 : 2 };
    if (error instanceof ConfigError) return { text: error.message, exitCode: 2 };
    throw error;
  }
}

async function checked(options: DoctorArguments, env: Environment, clock: Clock): Promise<Check[]> {
  try {
    return await diagnose(readConfig(env, readFile), options, clock);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { fail } = checksFor("configuration");
    return [
      ...error.problems.map((problem) => fail(problem, "README, Configuration; nothing else was looked at")),
      ...error.warnings.map(unmeant),
    ];
  }
}

if (import.meta.main) {
  // The clock's timers do not keep the process alive.
  const { port1 } = new MessageChannel();
  port1.ref();
  const { text, exitCode } = await runDoctor(process.argv.slice(2), process.env);
  console.log(text);
  process.exitCode = exitCode;
  port1.close();
}
