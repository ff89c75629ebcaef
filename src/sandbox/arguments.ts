import { parseCommandLine, UsageError } from "../lib/cli.ts";
import { createEnvironmentReader, type Environment } from "../lib/environment.ts";
import type { SandboxOptions } from "./options.ts";
import { seededRandom } from "./random.ts";
import { EDITIONS, type VendorEdition } from "./vendor/orders.ts";
import { ANSWERS, type Answers } from "./vendor/shape.ts";

/** The parsed command line. */
export interface SandboxArguments {
  sandbox: SandboxOptions;
  /** Only the simulated vendor, no service. */
  upstreamOnly: boolean;
  /** Base URL, without a trailing slash, of the user's own backend; with `upstreamOnly` only. */
  backend: string | undefined;
  /** Log lines as JSON. */
  json: boolean;
}

export const SANDBOX_USAGE = `npm run sandbox -- [options]

  --upstream-only      only the played vendor, for a backend of your own in any language
  --backend URL        with --upstream-only: your backend, for the console to talk to
  --port N             port of the sandbox; 0 picks one (default: SANDBOX_PORT, or 8090)
  --host [HOST]        open to the local network: devices are paired by a code; every address, or this one
  --app-id X           8 characters (default: TIDA0001)
  --secret X           64 characters (default: random, or from the seed)
  --seed S             the same secret, tokens, tickets and faceIds at every start: a whole number
  --latency 30ms       how long every call takes
  --overlap 60s        how long a token outlives its successor
  --edition a,b        editions the app id is entitled to: basic, enhanced, plus (default: all)
  --answers captured   how answers are written: captured from the vendor's host, or printed on old pages
  --lenient            record what the vendor only forbids in writing, and answer all the same
  --json               log lines as JSON, in place of one readable line a call
  --help               this text`;

const OPTIONS = {
  "upstream-only": { type: "boolean" },
  backend: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  "app-id": { type: "string" },
  secret: { type: "string" },
  seed: { type: "string" },
  latency: { type: "string" },
  overlap: { type: "string" },
  edition: { type: "string" },
  answers: { type: "string" },
  lenient: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** Reads the command line of `npm run sandbox`. Throws `UsageError` with every problem, or the usage. */
export function readArguments(args: readonly string[], env: Environment): SandboxArguments {
  const { values } = parseCommandLine({ args: withHost(args), options: OPTIONS }, SANDBOX_USAGE);
  if (values.help) throw new UsageError(SANDBOX_USAGE);
  const { host, secret, seed, edition } = values;
  const appId = values["app-id"];
  const upstreamOnly = values["upstream-only"] ?? false;
  // A Kubernetes Service called sandbox sets the variable to its link; the service warns about that.
  const isLink = env["SANDBOX_PORT"]?.startsWith("tcp://") ?? false;
  const defaultPort = isLink ? 8090 : (env["SANDBOX_PORT"] ?? 8090);
  const port = Number(values.port ?? defaultPort);
  // The environment reader parses durations and URLs, and collects problems.
  const read = createEnvironmentReader(
    { "--latency": values.latency, "--overlap": values.overlap, "--backend": values.backend },
    () => "",
  );
  const { problems } = read;
  // 0 is a valid latency, though not a valid duration.
  const latencyMs = /^0(ms|s)?$/.test(values.latency ?? "0") ? 0 : read.durationMs("--latency", 0);
  const overlapMs = read.durationMs("--overlap", 60_000);
  const backend = read.baseUrl("--backend", "") || undefined;
  const answers = (values.answers ?? "captured") as Answers;
  const editions = (edition?.split(",") ?? EDITIONS) as VendorEdition[];

  const rules: [broken: boolean, problem: string][] = [
    [!/^\d{1,5}$/.test(String(values.port ?? defaultPort)) || port > 65_535, "--port: must be 0 to 65535"],
    [appId !== undefined && !/^[0-9A-Za-z]{8}$/.test(appId), "--app-id: must be 8 letters and digits"],
    [secret !== undefined && !/^[!-~]{64}$/.test(secret), "--secret: must have 64 characters"],
    [seed !== undefined && !/^-?\d{1,10}$/.test(seed), "--seed: must be a whole number"],
    [!editions.every((each) => EDITIONS.includes(each)), `--edition: must be of ${EDITIONS.join(", ")}`],
    [!ANSWERS.includes(answers), `--answers: must be one of ${ANSWERS.join(", ")}`],
    [backend !== undefined && !upstreamOnly, "--backend: needs --upstream-only"],
  ];
  problems.push(...rules.filter(([broken]) => broken).map(([, problem]) => problem));
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return {
    upstreamOnly,
    backend,
    json: values.json ?? false,
    sandbox: {
      port,
      latencyMs,
      overlapMs,
      editions,
      answers,
      strict: !values.lenient,
      ...(host !== undefined && { host }),
      ...(appId !== undefined && { appId }),
      ...(secret !== undefined && { secret }),
      ...(seed !== undefined && { random: seededRandom(Number(seed)) }),
    },
  };
}

/** Every address of this machine, for a `--host` without one; `parseArgs` knows no optional values. */
function withHost(args: readonly string[]): string[] {
  const isBare = (arg: string, next = "--") => arg === "--host" && next.startsWith("--");
  return args.map((arg, i) => (isBare(arg, args[i + 1]) ? "--host=0.0.0.0" : arg));
}
