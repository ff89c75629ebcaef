import { constants } from "node:fs";
import { access, chmod, link, lstat, mkdir, open, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OperatorError } from "../../errors.ts";

/** File systems on which two kernels may disagree about a directory; numbers from statfs(2). */
const NETWORK: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
  0x01021997: "9p",
  0x5346414f: "AFS",
  0x73757245: "Coda",
  0x00c36400: "Ceph",
  0x0bd00bd0: "Lustre",
  0x47504653: "GPFS",
  0x01161970: "GFS2",
  0x7461636f: "OCFS2",
};
/** Transient errors; not grounds to reject the directory. */
const TRANSIENT = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "EAGAIN"]);

export const errorCode = (error: unknown): string => (error as NodeJS.ErrnoException)?.code ?? "";

/** The file system type of a path, as in statfs(2); replaced only by tests. */
export type FileSystemType = (path: string) => Promise<number>;
const realType: FileSystemType = async (path) => (await statfs(path)).type;

/**
 * Creates the directory if it is missing, and makes it private (0700). Throws OperatorError if it can never hold the tickets
 * safely: on a network file system, without hard links, not a directory, another user's, or inaccessible to us. A disk that
 * is currently full or read-only is no such reason (ticket-cache.md 2.12).
 */
export async function prepareDirectory(directory: string, fileSystemType = realType): Promise<void> {
  const refuse = (why: string) =>
    new OperatorError(
      `the ticket store cannot use the directory ${directory}: ${why}; choose another STORE_URL`,
    );
  try {
    await make(directory);
  } catch (error) {
    // EEXIST is handled below, by checking what is there instead.
    if (TRANSIENT.has(errorCode(error)) && errorCode(error) !== "EROFS") return;
    if (errorCode(error) !== "EEXIST") throw refuse(`it cannot be made (${errorCode(error)})`);
  }

  const stat = await lstat(directory);
  if (!stat.isDirectory()) throw refuse("it is not a directory");
  const network = NETWORK[await fileSystemType(directory)];
  if (network)
    throw refuse(`it is on a network file system (${network}), where processes on several machines may meet`);

  const user = process.geteuid?.();
  if (user !== undefined && stat.uid !== user && user !== 0) {
    const cure = `chown it, run as that user, or remove it while no process runs`;
    throw refuse(`it belongs to the user ${stat.uid}, and this is ${user} (${cure})`);
  }
  if ((stat.mode & 0o077) !== 0) {
    await chmod(directory, 0o700).catch((error: unknown) => {
      throw refuse(`others may read it, and its mode cannot be changed (${errorCode(error)})`);
    });
  }
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    await tryLink(directory);
  } catch (error) {
    if (TRANSIENT.has(errorCode(error))) return;
    throw refuse(`it cannot be written, or knows no hard links (${errorCode(error)})`);
  }
}

/** Creates parents, too. Not by `recursive: true`, which never ends under a parent that takes no children, such as /proc. */
async function make(directory: string): Promise<void> {
  const attempt = () => mkdir(directory, { mode: 0o700 });
  await attempt().catch(async (error: unknown) => {
    if (errorCode(error) !== "ENOENT" || dirname(directory) === directory) throw error;
    await make(dirname(directory)).catch((above: unknown) => {
      if (errorCode(above) !== "EEXIST") throw above;
    });
    await attempt();
  });
}

async function tryLink(directory: string): Promise<void> {
  const [from, to] = [0, 1].map((i) => join(directory, `t-${crypto.randomUUID()}-${i}`)) as [string, string];
  try {
    await (await open(from, "wx", 0o600)).close();
    await link(from, to);
  } finally {
    await Promise.all([from, to].map((path) => rm(path, { force: true }).catch(() => undefined)));
  }
}
