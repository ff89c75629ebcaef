import { createContextKey } from "@connectrpc/connect";
import type { ServiceError } from "../../errors.ts";
import { openScope } from "../../lib/deadline.ts";
import type { Peer } from "../../lib/peer.ts";
import type { ClientConnection } from "./client-connection.ts";

/** One request that Connect reads: who sent it, and what became of it. */
export interface Visit {
  requestId: string;
  peer: Peer;
  client: ClientConnection;
  /** Whether its body is being read, or its handler was called: each reports by itself. */
  reading: boolean;
  reached: boolean;
  /** Reports, once, that it was refused. */
  refuse(error: ServiceError): void;
}

const NO_VISIT: Visit = {
  requestId: "",
  peer: { address: "", local: false, certificateName: undefined },
  client: { scope: openScope(), left: false, release: () => undefined },
  reading: false,
  reached: false,
  refuse: () => undefined,
};

/** Under which a request's visit travels through Connect. */
export const VISIT = createContextKey<Visit>(NO_VISIT);
