import { link, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { OperatorError } from "../../errors.ts";
import { errorCode, type FileSystemType, isTransient, makePrivate } from "../../lib/private-directory.ts";

/**
 * Creates the directory if it is missing, and makes it private (0700). Throws OperatorError if it can never hold the tickets
 * safely: for the reasons of `makePrivate`, or without hard links. A disk that is currently full or read-only is no such
 * reason (ticket-cache.md 2.12).
 */
export async function prepareDirectory(directory: string, fileSystemType?: FileSystemType): Promise<void> {
  const why = (await makePrivate(directory, fileSystemType)) ?? (await withoutLinks(directory));
  if (why === undefined) return;
  throw new OperatorError(
    `the ticket store cannot use the directory ${directory}: ${why}; choose another STORE_URL`,
  );
}

async function withoutLinks(directory: string): Promise<string | undefined> {
  const [from, to] = [0, 1].map((i) => join(directory, `t-${crypto.randomUUID()}-${i}`)) as [string, string];
  try {
    await (await open(from, "wx", 0o600)).close();
    await link(from, to);
    return undefined;
  } catch (error) {
    // The disk is full, and the directory may not even exist.
    if (isTransient(error) || errorCode(error) === "ENOENT") return undefined;
    return `it cannot be written, or knows no hard links (${errorCode(error)})`;
  } finally {
    await Promise.all([from, to].map((path) => rm(path, { force: true }).catch(() => undefined)));
  }
}
