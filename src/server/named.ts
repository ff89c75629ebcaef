import { OperatorError } from "../errors.ts";
import type { Listener } from "./listener.ts";

/** Why an address cannot be bound, by error code. */
const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "is in use by another program, or by another process of this service",
  EADDRNOTAVAIL: "is not an address of this machine",
  EACCES: "may not be used by this user; ports below 1024 are root's",
  ENOTFOUND: "has a host name that cannot be resolved",
  EAI_AGAIN: "has a host name that cannot be resolved now",
};

/** A listener configured by `variable`; if it cannot listen, `start` throws an OperatorError with the cause. */
export function named(
  variable: string,
  { host, port }: { host: string; port: number },
  listener: Listener,
): Listener {
  return {
    ...listener,
    async start() {
      try {
        await listener.start();
      } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        const why = WHY[code];
        if (why === undefined) throw error;
        throw new OperatorError(`${variable}: ${host}:${port} ${why} (${code})`);
      }
    },
  };
}
