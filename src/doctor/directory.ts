import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Check, checksFor, codeOf } from "./check.ts";

const WRITABLE = constants.R_OK | constants.W_OK | constants.X_OK;

export interface Directories {
  /** The directory of STORE_URL: a volume with any owner, as long as the service may write to it. */
  store: string;
  /** This register's directory below it, which the service creates for its own use. */
  register: string;
}

/** Checks that the service can store its tickets there, and whether other users could remove them. */
export async function checkDirectories({ store, register }: Directories): Promise<Check> {
  const { ok, warn, fail } = checksFor("store directory");
  const permission = `give it to the service's user: chown, and chmod 700 ${store}`;
  try {
    const { mode, gid } = await stat(store);
    await access(store, WRITABLE);
    const owner = await otherOwner(register);
    if (owner !== undefined) {
      const ours = process.geteuid?.();
      return fail(
        `${register} was left by the user ${owner}, and this is ${ours}: the service will not use it`,
        `chown -R ${ours} ${register}, or run as ${owner}, or remove it while no process runs`,
      );
    }
    const shown = `${store} can be written, mode ${(mode & 0o777).toString(8)}`;
    if ((mode & 0o002) === 0 && ((mode & 0o020) === 0 || isOurGroup(gid))) return ok(shown);
    return warn(`others may write to ${store}, mode ${(mode & 0o777).toString(8)}`, permission);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") return fail(`${store} cannot be used (${codeOf(error)})`, permission);
    // Not created here: it would belong to the user who runs the doctor, not to the service.
    return access(await existing(store), WRITABLE).then(
      () => warn(`${store} is not there yet`, "the service makes it when it starts"),
      (denied: unknown) => fail(`${store} cannot be made (${codeOf(denied)})`, permission),
    );
  }
}

/** The owner of a directory of another user, unless we are root; undefined also if it does not exist. */
async function otherOwner(directory: string): Promise<number | undefined> {
  const user = process.geteuid?.();
  if (user === undefined || user === 0) return undefined;
  try {
    const { uid } = await stat(directory);
    return uid === user ? undefined : uid;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the group is one of this user's, as with fsGroup in Kubernetes and group 0 in OpenShift. */
function isOurGroup(gid: number): boolean {
  return process.getegid?.() === gid || (process.getgroups?.().includes(gid) ?? false);
}

async function existing(directory: string): Promise<string> {
  const parent = dirname(directory);
  return stat(parent).then(
    () => parent,
    (error: unknown) => (parent === directory || codeOf(error) !== "ENOENT" ? parent : existing(parent)),
  );
}
