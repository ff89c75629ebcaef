import { parseCommandLine, UsageError } from "../lib/cli.ts";
import { createEnvironmentReader } from "../lib/environment.ts";
import { readArguments } from "../sandbox/arguments.ts";
import type { SandboxOptions } from "../sandbox/options.ts";
import { CONFORMANCE_RULE_NAMES, type ConformanceRuleName } from "./rules.ts";

export interface ConformanceArguments {
  /** Base URL of the two form routes, without a trailing slash. */
  url: string;
  /** Shell command that starts the backend; undefined if it is already running. */
  exec: string | undefined;
  json: boolean;
  rules: readonly ConformanceRuleName[];
  patienceMs: number;
  sandbox: SandboxOptions;
}

export const CONFORMANCE_USAGE = `npm run conformance -- URL [options]

Checks a backend with the two form routes /get_face_params and /get_result at URL. It must use the sandbox that is started
here as its vendor; the environment for that is printed, and the same at every start.

  --exec "COMMAND"     starts the backend with that environment, and ends it afterwards
  --only rule,rule     examines these rules alone
  --patience 60s       how long the backend may take to start, and to recover from a revoked token
  --json               one JSON document on stdout in place of the table
  --port N, --app-id X, --secret X, --seed S, --overlap 60s, --edition a,b, --lenient
                       the sandbox's, as with npm run sandbox (default: port 8090, seed 1)
  --help               this text

Exit code: 0 when every rule is kept, 1 when one is not, 2 when nothing could be examined.`;

const text = { type: "string" } as const;
const OPTIONS = {
  exec: { type: "string" },
  only: { type: "string" },
  patience: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
  // Passed on to the sandbox.
  port: text,
  "app-id": text,
  secret: text,
  seed: text,
  overlap: text,
  edition: text,
  lenient: { type: "boolean" },
} as const;

const SANDBOX = ["port", "app-id", "secret", "seed", "overlap", "edition"] as const;

/** Reads the command line of `npm run conformance`. Throws `UsageError` with every problem, or the usage. */
export function readConformanceArguments(args: readonly string[]): ConformanceArguments {
  const { values, positionals } = parseCommandLine(
    { args: [...args], options: OPTIONS, allowPositionals: true },
    CONFORMANCE_USAGE,
  );
  if (values.help) throw new UsageError(CONFORMANCE_USAGE);
  const read = createEnvironmentReader({ URL: positionals[0], "--patience": values.patience }, () => "");
  const { problems } = read;
  const url = read.baseUrl("URL", "");
  const patienceMs = read.durationMs("--patience", 60_000);
  const rules = values.only?.split(",") ?? CONFORMANCE_RULE_NAMES;
  const unknown = rules.filter((rule) => !CONFORMANCE_RULE_NAMES.some((name) => name === rule));
  if (positionals.length !== 1) problems.push("URL: give one, such as http://127.0.0.1:8080");
  if (unknown.length > 0)
    problems.push(`--only: no rule ${unknown.join(", ")}; there are ${CONFORMANCE_RULE_NAMES.join(", ")}`);
  const passedOn = SANDBOX.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  // A fixed seed, so that a backend configured once can be examined repeatedly.
  const seed = values.seed === undefined ? ["--seed", "1"] : [];
  const { sandbox } = readSandbox([...passedOn, ...seed, ...(values.lenient ? ["--lenient"] : [])], problems);
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return {
    url,
    exec: values.exec,
    json: values.json ?? false,
    rules: rules as ConformanceRuleName[],
    patienceMs,
    sandbox,
  };
}

function readSandbox(args: readonly string[], problems: string[]): Pick<ConformanceArguments, "sandbox"> {
  try {
    return readArguments(args, {});
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(error.message);
    return { sandbox: {} };
  }
}
