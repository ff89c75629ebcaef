import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

/** The stream of a request of HTTP/2. */
export const streamOf = (request: IncomingMessage): ServerHttp2Stream | undefined =>
  (request as { stream?: ServerHttp2Stream }).stream;

/** Whether a caller has broken off its request: a stream of HTTP/2 that is reset ends like one that is complete. */
export const hasLeft = (request: IncomingMessage): boolean =>
  request.aborted || (streamOf(request)?.rstCode ?? 0) !== 0;
