import { timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  WatchResultsRequest,
  WatchResultsResponse,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { StreamHandler } from "../calls/call.ts";
import type { Feed } from "../deliveries/feed.ts";
import { ErrorReason, ServiceError } from "../errors.ts";
import { onAbort } from "../lib/deadline.ts";

export interface WatchResultsOptions {
  /** Loaded where there is a ledger; undefined without one. */
  feed: Promise<Pick<Feed, "follow">> | undefined;
  /** Aborts when the process begins to drain. */
  stopping: AbortSignal;
}

const drained = () => new ServiceError(ErrorReason.STOPPING, "the process is draining");

/** WatchResults: the events of all orders, for internal callers, until caller or process leave. */
export function createWatchResults({
  feed,
  stopping,
}: WatchResultsOptions): StreamHandler<WatchResultsRequest, WatchResultsResponse> {
  return async ({ resumeToken, since }, { caller, signal, send }) => {
    if (!caller.internal) {
      throw new ServiceError(ErrorReason.PERMISSION_DENIED, "events are for internal callers");
    }
    if (!feed) throw new ServiceError(ErrorReason.NO_LEDGER, "LEDGER_URL is not set");
    const events = await feed;
    const end = new AbortController();
    const releases = [
      onAbort(signal, (reason) => end.abort(reason)),
      onAbort(stopping, () => end.abort(drained())),
    ];
    try {
      const start = { resumeToken, since: since && timestampMs(since) };
      await events.follow(start, send, end.signal);
    } finally {
      for (const release of releases) release();
    }
  };
}
