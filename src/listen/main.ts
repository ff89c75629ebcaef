import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FaceVerificationService } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { createSender } from "../deliveries/sender.ts";
import { UsageError } from "../lib/cli.ts";
import { systemClock } from "../lib/clock.ts";
import { readListenArguments } from "./arguments.ts";
import { createForward } from "./forward.ts";
import { listen } from "./listen.ts";

/** Exit codes: 0 when it was stopped, 1 when the service refuses to be watched, 2 for the command line. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readListenArguments(args, process.env, systemClock.now());
    return await run(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return args.includes("--help") ? 0 : 2;
  }
}

async function run(options: ReturnType<typeof readListenArguments>): Promise<number> {
  const { service, forwardTo, secret } = options;
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const sender = createSender({ proxy: undefined });
  const print = (line: string) => console.log(line);
  const forward = createForward({
    forwardTo,
    secret,
    send: (webhook) => sender.send(webhook),
    clock: systemClock,
    print,
  });
  const client = createClient(FaceVerificationService, createGrpcTransport({ baseUrl: service }));
  print(`Events of ${service} go to ${forwardTo}. Signed with this secret:\n\n  ${secret.reveal()}\n`);
  try {
    const token = await listen({
      ...options,
      client,
      forward,
      clock: systemClock,
      print,
      signal: stop.signal,
    });
    print(`To go on from here: --resume ${token}`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    await sender.close();
  }
}

// The clock's timers do not keep the process alive.
const { port1 } = new MessageChannel();
port1.ref();
process.exitCode = await main(process.argv.slice(2));
port1.close();
