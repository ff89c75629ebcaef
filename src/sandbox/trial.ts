import type { Environment } from "../lib/environment.ts";
import { createSandbox } from "./sandbox.ts";

/** A sandbox with everything a service needs to run in front of it. */
export interface Trial {
  /** What to lay over the environment: the sandbox's app id, secret and address, and a store of its own. */
  environment: Environment;
  /** What a person can paste next. */
  instructions(addresses: { http?: string; grpc?: string; admin: string }): string;
  stop(): Promise<void>;
}

/** Starts the sandbox of `npm run sandbox`, on SANDBOX_PORT (8090 unless given). */
export async function startTrial(env: Environment): Promise<Trial> {
  const sandbox = createSandbox({ port: Number(env["SANDBOX_PORT"] ?? 8090) });
  await sandbox.start();
  return {
    environment: {
      FACEID_APP_ID: sandbox.appId,
      FACEID_SECRET: sandbox.secret,
      FACEID_SECRET_FILE: undefined,
      FACEID_BASE_URL: sandbox.url,
      STORE_URL: env["STORE_URL"] || "memory:",
    },
    instructions: ({ http, grpc }) => `
This is the sandbox: no vendor, no contract, nobody is verified. In another terminal:

1. Ask for launch parameters, as the app does.
   curl -s -d 'name=张三' -d 'id_no=11010519491231002X' http://${http}/get_face_params | tee launch.json

2. Play the App SDK with them. Outcomes: curl -s ${sandbox.url}/sandbox/scenarios
   curl -s --json @launch.json '${sandbox.url}/sdk/verify?outcome=passed'

3. Read the verdict.
   curl -s -d "order_no=$(sed 's/.*"order_no":"\\([^"]*\\)".*/\\1/' launch.json)" http://${http}/get_result

The same by JSON, and by gRPC without a schema:
   curl -s --json '{"name":"张三","idNo":"11010519491231002X"}' http://${http}/faceverification.v1.FaceVerificationService/GetFaceParams
   npx buf curl --protocol grpc --http2-prior-knowledge -d '{"name":"张三","idNo":"11010519491231002X"}' http://${grpc}/faceverification.v1.FaceVerificationService/GetFaceParams

Ctrl-C ends both.
`,
    stop: () => sandbox.stop(),
  };
}
