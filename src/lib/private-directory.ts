import { constants } from "node:fs";
import { access, chmod, lstat, mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";

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
const TRANSIENT = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "EAGAIN"]);

/** Whether it may pass by itself, and so is no ground to reject a directory. */
export const isTransient = (error: unknown): boolean => TRANSIENT.has(errorCode(error));

export const errorCode = (error: unknown): string => (error as NodeJS.ErrnoException)?.code ?? "";

/** The file system type of a path, as in statfs(2); replaced only by tests. */
export type FileSystemType = (path: string) => Promise<number>;
const realType: FileSystemType = async (path) => (await statfs(path)).type;

/**
 * Creates the directory if it is missing, and makes it private (0700). Resolves to the reason if it can never hold what must
 * stay private and whole: on a network file system, not a directory, another user's, or inaccessible to us. A disk that is
 * currently full or read-only is no such reason.
 */
export async function makePrivate(directory: string, fileSystemType = realType): Promise<string | undefined> {
  try {
    await make(directory);
  } catch (error) {
    // EEXIST is handled below, by checking what is there instead.
    if (isTransient(error) && errorCode(error) !== "EROFS") return undefined;
    if (errorCode(error) !== "EEXIST") return `it cannot be made (${errorCode(error)})`;
  }

  const refused = await refusalOf(directory, fileSystemType);
  if (refused !== undefined) return refused;
  try {
    if (((await lstat(directory)).mode & 0o077) !== 0) await chmod(directory, 0o700);
  } catch (error) {
    return `others may read it, and its mode cannot be changed (${errorCode(error)})`;
  }
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return isTransient(error) ? undefined : `it cannot be written (${errorCode(error)})`;
  }
  return undefined;
}

/** The reasons that what is already there gives; changes nothing. Rejects if there is nothing. */
export async function refusalOf(directory: string, fileSystemType = realType): Promise<string | undefined> {
  const stat = await lstat(directory);
  if (!stat.isDirectory()) return "it is not a directory";
  const network = NETWORK[await fileSystemType(directory)];
  if (network)
    return `it is on a network file system (${network}), where processes on several machines may meet`;
  const user = process.geteuid?.();
  if (user === undefined || user === 0 || stat.uid === user) return undefined;
  const cure = "chown it, run as that user, or remove it while no process runs";
  return `it belongs to the user ${stat.uid}, and this is ${user} (${cure})`;
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
