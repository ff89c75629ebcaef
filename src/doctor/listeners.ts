import { createServer } from "node:net";
import type { Address } from "../lib/environment.ts";
import { type Check, checksFor, codeOf } from "./check.ts";

const TIMEOUT_MS = 2_000;

/** Checks that the addresses can be bound, or are already used by this service. */
export async function checkListeners(
  addresses: Readonly<Record<string, Address>>,
  admin: Address,
): Promise<Check[]> {
  const ours = await isOurs(admin);
  return Promise.all(
    Object.entries(addresses).map(async ([name, { host, port }]) => {
      const { ok, fail } = checksFor(name);
      if (port === 0) return ok("picks a port");
      const code = await tryListen({ host, port });
      if (code === undefined) return ok(`${host}:${port} is free`);
      if (code !== "EADDRINUSE")
        return fail(`${host}:${port} cannot be had (${code})`, `set ${name} to an address of this machine`);
      return ours
        ? ok(`${host}:${port} is in use by the running service`)
        : fail(`${host}:${port} is in use by another program`, `stop that, or choose another ${name}`);
    }),
  );
}

/** The error's code; undefined if listening succeeded. */
function tryListen({ host, port }: Address): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(codeOf(error)));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

async function isOurs({ host, port }: Address): Promise<boolean> {
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/readyz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return "reason" in ((await response.json()) as object);
  } catch {
    return false;
  }
}
