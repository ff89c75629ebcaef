import { UsageError } from "./arguments.ts";
import { createSandbox, type Sandbox, type SandboxOptions } from "./sandbox.ts";

/** A sandbox that runs; throws `UsageError` where its address cannot be had. */
export async function beginSandbox(options: SandboxOptions): Promise<Sandbox> {
  const sandbox = createSandbox(options);
  try {
    await sandbox.start();
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (syscall !== "listen" && code !== "ENOTFOUND") throw error;
    throw new UsageError(`--port, --host: cannot listen there (${message}); --port 0 picks a free port`);
  }
  return sandbox;
}
