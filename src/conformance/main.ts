import { UsageError } from "../lib/cli.ts";
import { systemClock } from "../lib/clock.ts";
import { beginSandbox } from "../sandbox/trial.ts";
import { type ConformanceArguments, readConformanceArguments } from "./arguments.ts";
import { createBackend } from "./backend.ts";
import { type Command, startCommand } from "./command.ts";
import { checkRules } from "./examine.ts";
import { createLab, type Lab } from "./lab.ts";
import { printResult, printSummary, resultsAsJson } from "./overall.ts";

/** Exit codes of the command. */
const KEPT = 0;
/** Some rule is broken, or could not be examined. */
const NOT_KEPT = 1;
/** There was nothing to examine. */
const NO_BACKEND = 2;

async function main(args: readonly string[]): Promise<number> {
  try {
    return await check(readConformanceArguments(args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return args.includes("--help") ? KEPT : NO_BACKEND;
  }
}

async function check(options: ConformanceArguments): Promise<number> {
  const sandbox = await beginSandbox(options.sandbox);
  const environment = {
    FACEID_BASE_URL: sandbox.url,
    FACEID_APP_ID: sandbox.appId,
    FACEID_SECRET: sandbox.secret,
  };
  console.error(
    Object.entries(environment)
      .map((entry) => entry.join("="))
      .join("\n"),
  );
  const command =
    options.exec === undefined ? undefined : startCommand(options.exec, environment, systemClock);
  const stop = async () => {
    await command?.stop();
    await sandbox.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(NO_BACKEND)));
  }
  try {
    const backend = createBackend(options.url);
    const lab = createLab({ sandbox, backend, clock: systemClock, patienceMs: options.patienceMs });
    return (await waitForBackend(lab, options.url, command)) ? await report(lab, options) : NO_BACKEND;
  } finally {
    await stop();
  }
}

/** Waits until the backend responds; false if it does not, or its command has exited. */
async function waitForBackend(lab: Lab, url: string, command: Command | undefined): Promise<boolean> {
  console.error(`\nWaiting for ${url} ...`);
  const answered = await lab.eventually(async () => {
    if (command?.ended !== undefined) return true;
    await lab.backend.post("/get_result", {});
    return true;
  });
  if (answered && command?.ended === undefined) return true;
  console.error(
    command?.ended === undefined ? "It does not answer." : `The command did not stay: ${command.ended}`,
  );
  return false;
}

async function report(lab: Lab, { rules, json }: ConformanceArguments): Promise<number> {
  const results = await checkRules(lab, rules, (result) => {
    if (!json) console.log(printResult(result));
  });
  console.log(json ? resultsAsJson(results) : `\n${printSummary(results)}`);
  return results.every(({ outcome }) => outcome === "kept") ? KEPT : NOT_KEPT;
}

process.exitCode = await main(process.argv.slice(2));
