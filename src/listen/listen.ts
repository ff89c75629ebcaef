import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type {
  FaceVerificationService,
  WatchResultsResponse,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { UsageError } from "../lib/cli.ts";
import type { Clock } from "../lib/clock.ts";
import type { ListenArguments } from "./arguments.ts";
import type { Forward } from "./forward.ts";

export interface ListenOptions extends Pick<ListenArguments, "token" | "since" | "resume" | "replay"> {
  client: Pick<Client<typeof FaceVerificationService>, "watchResults">;
  forward: Forward;
  clock: Clock;
  print: (line: string) => void;
  signal: AbortSignal;
}

/** Wait before a stream that ended is opened again, milliseconds. */
const AGAIN_MS = 1_000;
/** Failures that another try does not cure. */
const FINAL = new Set([
  Code.InvalidArgument,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.Unimplemented,
  Code.OutOfRange,
]);

/**
 * Forwards events until `signal` aborts; resolves to the token to go on with. Throws UsageError for what only its user can
 * cure.
 */
export async function listen(options: ListenOptions): Promise<string> {
  const { since, replay, forward, print, signal } = options;
  let token = options.resume;
  if (replay.length > 0) {
    // Before the past, so that nothing is missed in between.
    if (token === "" && since === undefined) token = await tokenOfNow(options);
    const missing = new Set(replay.map((id) => (id.startsWith("evt_") ? id : `evt_${id}`)));
    await follow(options, { resumeToken: "", since: 0 }, async ({ eventId, event }) => {
      if (event && missing.delete(eventId)) await forward(eventId, event, signal);
      return event !== undefined && missing.size > 0;
    });
    if (missing.size > 0) print(`The ledger has no event ${[...missing].join(", ")}.`);
  }
  await follow(options, { resumeToken: token, since }, async ({ eventId, event, resumeToken }) => {
    if (event) await forward(eventId, event, signal);
    token = resumeToken;
    return true;
  });
  return token;
}

async function tokenOfNow(options: ListenOptions): Promise<string> {
  let token = "";
  await follow(options, { resumeToken: "", since: undefined }, async ({ resumeToken }) => {
    token = resumeToken;
    return false;
  });
  return token;
}

/** Calls `act` for every message, over as many streams as it takes, until it resolves to false or the signal aborts. */
async function follow(
  { client, token, clock, print, signal }: ListenOptions,
  from: { resumeToken: string; since: number | undefined },
  act: (message: WatchResultsResponse) => Promise<boolean>,
): Promise<void> {
  const headers = token ? { authorization: `Bearer ${token.reveal()}` } : {};
  let { resumeToken } = from;
  let isAway = false;
  while (!signal.aborted) {
    const leave = new AbortController();
    const request = { resumeToken, ...(from.since !== undefined && { since: timestampFromMs(from.since) }) };
    try {
      const stream = client.watchResults(request, {
        headers,
        signal: AbortSignal.any([signal, leave.signal]),
      });
      for await (const message of stream) {
        if (isAway) print("The service is back.");
        isAway = false;
        if (!(await act(message))) return;
        ({ resumeToken } = message);
      }
    } catch (error) {
      if (signal.aborted) return;
      const { code, rawMessage } = ConnectError.from(error);
      if (FINAL.has(code)) throw new UsageError(`The service refuses to be watched: ${rawMessage}`);
      if (!isAway) print(`The service ended the stream (${rawMessage}). Trying again ...`);
      isAway = true;
    } finally {
      leave.abort();
    }
    await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
  }
}
