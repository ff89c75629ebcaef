import { type AddressInfo, createServer } from "node:net";
import { styleText } from "node:util";
import { UsageError } from "../lib/cli.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Environment } from "../lib/environment.ts";
import { readArguments } from "./arguments.ts";
import type { ConsoleBackend } from "./controls/backend.ts";
import { RECEIVER_PATH } from "./controls/receiver.ts";
import type { SandboxOptions } from "./options.ts";
import { qrText } from "./pairing/qr.ts";
import { createSandbox, type Sandbox } from "./sandbox.ts";
import { createTerminalSink, sandboxLine } from "./terminal.ts";
import { createTurnableClock, type TurnableClock } from "./turnable-clock.ts";

/** A sandbox with everything a service needs to run against it. */
export interface Trial {
  /** True if only the vendor is simulated and no service must be started. */
  upstreamOnly: boolean;
  /** Overrides for the environment: the sandbox's app id, secret, address and receiver, a separate store and ledger. */
  environment: Environment;
  /** The clock for the service too, so that turning the sandbox's clock ages both. */
  clock: Clock;
  /** Destination of the service's log lines. */
  logSink: { write(line: string): void };
  /** Connects the console to the service, once it runs. */
  connect(backend: Omit<ConsoleBackend, "url" | "grpcUrl" | "adminUrl">, addresses: Addresses): void;
  /** Prints commands to paste next, and how a phone gets in. */
  instruct(addresses: Addresses): Promise<void>;
  stop(): Promise<void>;
}

interface Addresses {
  http?: string;
  grpc?: string;
  admin: string;
}

/** Starts the sandbox of `npm run sandbox`. Exits with 2 if the command line is invalid. */
export async function startTrial(args: readonly string[], env: Environment): Promise<Trial> {
  const clock = createTurnableClock(systemClock);
  const { sandbox, upstreamOnly, backend, json } = await startSandbox(args, env, clock).catch(
    (error: unknown) => {
      if (!(error instanceof UsageError)) throw error;
      console.error(error.message);
      process.exit(args.includes("--help") ? 0 : 2);
    },
  );
  if (backend !== undefined) sandbox.connect({ url: backend });
  if (upstreamOnly) {
    printUpstream(sandbox);
    sandbox.transcriber?.onCall((each) => console.error(sandboxLine(each, process.stderr, json)));
    await showPairing(sandbox);
  }
  return {
    upstreamOnly,
    clock,
    logSink: createTerminalSink(process.stdout, json),
    environment: {
      FACEID_APP_ID: sandbox.appId,
      FACEID_SECRET: sandbox.secret,
      FACEID_SECRET_FILE: undefined,
      FACEID_BASE_URL: sandbox.url,
      // Even if the sandbox listens beyond this machine: service and sandbox are one process.
      ALLOW_INSECURE: listed(
        env["ALLOW_INSECURE"],
        "FACEID_BASE_URL",
        "WEBHOOK_ENDPOINTS",
        "LINK_RETURN_URLS",
      ),
      FACEID_LIVE_HOSTS: undefined,
      STORE_URL: env["STORE_URL"] || "memory:",
      ...(await publicAddress(sandbox, env)),
      ...ledgerAndReceiver(sandbox, env),
    },
    connect(service, { http, grpc, admin }) {
      if (http === undefined) return;
      const grpcUrl = `http://${grpc}`;
      sandbox.connect({ ...service, url: `http://${http}`, grpcUrl, adminUrl: `http://${admin}` });
    },
    async instruct(addresses) {
      console.error(instructions(sandbox, addresses));
      await showPairing(sandbox);
    },
    stop: () => sandbox.stop(),
  };
}

const instructions = ({ url }: Sandbox, { http, grpc }: Addresses) => `
This is the sandbox: no vendor, no contract, nobody is verified.

Open ${url}/ in a browser, or in another terminal:

1. Ask for launch parameters, as the app does.
   curl -s -d 'name=张三' -d 'id_no=11010519491231002X' http://${http}/get_face_params | tee launch.json

2. Play the App SDK with them. Outcomes: curl -s ${url}/sandbox/scenarios
   curl -s -H 'content-type: application/json' -d @launch.json '${url}/sdk/verify?outcome=passed'

3. Read the verdict.
   curl -s -d "order_no=$(sed 's/.*"order_no":"\\([^"]*\\)".*/\\1/' launch.json)" http://${http}/get_result

The same by JSON, and by gRPC without a schema:
   curl -s -H 'content-type: application/json' -d '{"name":"张三","idNo":"11010519491231002X"}' http://${http}/faceverification.v1.FaceVerificationService/GetFaceParams
   npx buf curl --protocol grpc --http2-prior-knowledge -d '{"name":"张三","idNo":"11010519491231002X"}' http://${grpc}/faceverification.v1.FaceVerificationService/GetFaceParams

A link for a browser, to open and press:
   npx buf curl --protocol grpc --http2-prior-knowledge -d '{"name":"张三","idNo":"11010519491231002X"}' http://${grpc}/faceverification.v1.VerificationLinkService/CreateVerificationLink

Ctrl-C ends both.
`;

const listed = (...entries: readonly (string | undefined)[]) => entries.filter(Boolean).join();

/** Links lead to the service itself, unless told otherwise; people may be sent on to the sandbox. */
async function publicAddress({ url }: Sandbox, env: Environment): Promise<Environment> {
  const LINK_RETURN_URLS = listed(env["LINK_RETURN_URLS"], `${url}/`);
  if (env["PUBLIC_URL"]) return { LINK_RETURN_URLS };
  const address = env["HTTP_ADDR"] || "127.0.0.1:8080";
  // The address has to be known before the service listens.
  const HTTP_ADDR = address.endsWith(":0") ? `${address.slice(0, -2)}:${await freePort()}` : address;
  return { LINK_RETURN_URLS, HTTP_ADDR, PUBLIC_URL: `http://127.0.0.1:${HTTP_ADDR.split(":").at(-1)}` };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** A ledger in memory, and the sandbox's receiver beside the user's own endpoints, unless those are in a file. */
function ledgerAndReceiver({ url, receiver }: Sandbox, env: Environment): Environment {
  const ledger = env["LEDGER_URL"] || env["LEDGER_URL_FILE"] ? {} : { LEDGER_URL: "memory:" };
  if (env["WEBHOOK_ENDPOINTS_FILE"] || env["WEBHOOK_SECRETS_FILE"]) return ledger;
  return {
    ...ledger,
    WEBHOOK_ENDPOINTS: listed(env["WEBHOOK_ENDPOINTS"], `sandbox=${url}${RECEIVER_PATH}`),
    WEBHOOK_SECRETS: listed(env["WEBHOOK_SECRETS"], `sandbox:${receiver.secret}`),
  };
}

async function startSandbox(args: readonly string[], env: Environment, sharedClock: TurnableClock) {
  const { sandbox, ...rest } = readArguments(args, env);
  return { ...rest, sandbox: await beginSandbox({ ...sandbox, sharedClock, record: true }) };
}

/** Prints the environment to stdout, as lines a shell can evaluate, and help for people to stderr. */
function printUpstream({ url, appId, secret }: Sandbox): void {
  console.log(`FACEID_BASE_URL=${url}\nFACEID_APP_ID=${appId}\nFACEID_SECRET=${secret}`);
  console.error(`
This is the played vendor alone. Give your backend the three values above in place of the vendor's.

Console        ${url}/
Outcomes       curl -s ${url}/sandbox/scenarios
Rules broken   curl -s ${url}/sandbox/breaches
Turn the clock curl -s -H 'content-type: application/json' -d '{"advance_ms":60000}' ${url}/sandbox/clock

More in docs/sandbox.md. Ctrl-C ends it.
`);
}

/** How the next device gets in, and again whenever one has; nothing if the sandbox is not open to the network. */
async function showPairing({ pairing, networkUrl }: Sandbox): Promise<void> {
  if (!pairing) return;
  const show = async () => {
    const code = pairing.code();
    if (code === undefined) return;
    // Light on dark whatever the terminal's own colours.
    const qr = styleText(["whiteBright", "bgBlack"], await qrText(`${networkUrl}/pair#${code}`), {
      stream: process.stderr,
    });
    console.error(`${qr}
For a phone: scan this, or open ${networkUrl}/pair and enter ${code}. Each code lets one device in.
`);
  };
  pairing.onPaired((device) => {
    console.error(`Paired: ${device}`);
    void show();
  });
  await show();
}

/** Creates and starts a sandbox; throws `UsageError` if it cannot listen on its address. */
export async function beginSandbox(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = createSandbox(options);
  try {
    await sandbox.start();
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (syscall !== "listen" && code !== "ENOTFOUND") throw error;
    throw new UsageError(`--port, --host: cannot listen there (${message}); --port 0 picks a free port`);
  }
  return sandbox;
}
