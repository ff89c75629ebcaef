import { type AddressInfo, createServer } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { type Config, readConfig } from "../../src/config/config.ts";
import type { SandboxOptions } from "../../src/sandbox/options.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/sandbox.ts";
import { createService, type Overrides, type Service } from "../../src/service.ts";
import { GrpcClient } from "./grpc-client.ts";
import { type Recorder, startRecorder } from "./recorder.ts";

/** A sandbox and the shipped service in front of it, on ports of their own, with what a test needs to look inside. */
export interface Harness extends AsyncDisposable {
  sandbox: Sandbox;
  /** What the service and the sandbox say to each other. */
  wire: Recorder;
  service: Service;
  config: Config;
  /** Base URLs. */
  http: string;
  grpc: string;
  admin: string;
  grpcClient: GrpcClient;
  /** Every log line so far, parsed. */
  logs: Record<string, unknown>[];
  /** Posts a form to the public door. */
  form(
    path: string,
    fields: Record<string, string> | string,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Posts Connect JSON, to the public door unless told otherwise. */
  json(method: string, message: unknown, headers?: Record<string, string>, base?: string): Promise<Answer>;
  /** Plays the App SDK with launch parameters as any door answers them. */
  playSdk(params: Record<string, unknown>, outcome?: string): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes
  body: any;
}

export interface HarnessOptions {
  sandbox?: SandboxOptions;
  /** Does something to the sandbox before the service starts. */
  prepare?: (sandbox: Sandbox) => void;
  /** False to go on before the service is ready. */
  ready?: boolean;
  env?: Record<string, string>;
  /** How files named by variables are read. */
  readFile?: (path: string) => string;
  overrides?: Overrides;
}

export async function startHarness({
  sandbox: options,
  prepare,
  ready = true,
  env,
  readFile = () => "",
  overrides,
}: HarnessOptions = {}): Promise<Harness> {
  const sandbox = createSandbox(options);
  await sandbox.start();
  const wire = await startRecorder(sandbox.url);
  prepare?.(sandbox);
  const logs: Record<string, unknown>[] = [];
  const config: Config = readConfig(
    {
      FACEID_APP_ID: sandbox.appId,
      FACEID_SECRET: sandbox.secret,
      FACEID_BASE_URL: wire.url,
      FACEID_LICENCE: "test-licence",
      STORE_URL: "memory:",
      HTTP_ADDR: "127.0.0.1:0",
      GRPC_ADDR: "127.0.0.1:0",
      ADMIN_ADDR: "127.0.0.1:0",
      ...env,
    },
    readFile,
  );
  const logSink = {
    write(line: string) {
      logs.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  const service = createService(config, { logSink, ...overrides });
  await service.start();
  if (ready) await eventually(() => service.readiness().ready);
  const { http = "", grpc: grpcAddress = "", admin } = service.addresses();
  const grpcClient = new GrpcClient(grpcAddress, grpc.credentials.createInsecure());

  async function post(url: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const response = await fetch(url, { method: "POST", body, headers });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  }

  async function stop(): Promise<void> {
    grpcClient.close();
    await service.stop();
    await wire.stop();
    await sandbox.stop();
  }

  return {
    sandbox,
    wire,
    service,
    config,
    logs,
    grpcClient,
    http: `http://${http}`,
    grpc: `http://${grpcAddress}`,
    admin: `http://${admin}`,
    form: (path, fields, headers) =>
      post(
        `http://${http}${path}`,
        typeof fields === "string" ? fields : new URLSearchParams(fields).toString(),
        { "content-type": "application/x-www-form-urlencoded", ...headers },
      ),
    json: (method, message, headers, base = `http://${http}`) =>
      post(`${base}/faceverification.v1.FaceVerificationService/${method}`, JSON.stringify(message), {
        "content-type": "application/json",
        ...headers,
      }),
    playSdk: (params, outcome) =>
      post(
        `${sandbox.url}/sdk/verify`,
        JSON.stringify({ ...params, ...(outcome !== undefined && { outcome }) }),
        {
          "content-type": "application/json",
        },
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A port on which nobody listens. */
export async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves once `condition` holds; fails after a generous time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end)
      throw new Error(`did not happen within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
