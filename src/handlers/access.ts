import { createAppSignatures } from "./app-signature.ts";
import { type Authorise, type AuthoriseOptions, type BearerToken, createAuthorise } from "./authorise.ts";
import type { EndUsers, EndUsersOptions } from "./end-users.ts";

/** Who may call, as configured; read again for each call, since tokens and keys may be replaced. */
export interface Access {
  httpTokens: readonly BearerToken[];
  grpcTokens: readonly BearerToken[];
  httpAuthObserved: boolean;
  jwt: { jwksUrl: string; issuer: string; audience: string } | undefined;
  endUserMedia: boolean;
  formKeys: readonly BearerToken[];
}

export interface AccessOptions extends Pick<EndUsersOptions, "clock" | "places"> {
  events: AuthoriseOptions["events"] & EndUsersOptions["events"];
}

/** The check of who calls. Which kinds of proof there are is decided once; tokens and keys are those of the moment. */
export function createAccess(access: () => Access, { clock, places, events }: AccessOptions): Authorise {
  const { jwt, formKeys, httpAuthObserved, endUserMedia } = access();
  return createAuthorise({
    tokens: { public: () => access().httpTokens, internal: () => access().grpcTokens },
    endUsers: jwt && loadEndUsers({ ...jwt, clock, places, events }),
    endUserMedia,
    appSignatures: formKeys.length > 0 ? createAppSignatures(() => access().formKeys, clock) : undefined,
    observeOnly: httpAuthObserved,
    events,
  });
}

/** Loaded at the start, before the first call, but only where it is configured. */
function loadEndUsers(options: EndUsersOptions): EndUsers {
  const loaded = import("./end-users.ts").then(({ createEndUsers }) => createEndUsers(options));
  return async (token) => (await loaded)(token);
}
