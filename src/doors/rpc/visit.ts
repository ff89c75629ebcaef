import { createContextKey } from "@connectrpc/connect";
import type { ServiceError } from "../../errors.ts";
import { openScope } from "../../lib/deadline.ts";
import type { Peer } from "../../lib/peer.ts";
import type { ClientConnection } from "./client-connection.ts";

/** A request read by Connect: its client and its progress. */
export interface Visit {
  requestId: string;
  peer: Peer;
  client: ClientConnection;
  /** Whether its body is being read, and whether its handler was reached: both report their own errors. */
  reading: boolean;
  reached: boolean;
  /** Reports once that the request was refused. */
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

/** The context key that carries a request's visit through Connect. */
export const VISIT = createContextKey<Visit>(NO_VISIT);
