import { execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** What the Dockerfile made: its files, and how it wants to be run. */
export interface Image {
  /** Where its root directory is. */
  root: string;
  user: string;
  directory: string;
  env: Record<string, string>;
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
  remove(): void;
}

/** As `buildah inspect` prints it. */
interface Inspected {
  User: string;
  WorkingDir: string;
  Env: string[];
  Entrypoint: string[];
  Cmd: string[];
  Healthcheck: { Test: string[] };
}

/** Builds deploy/Dockerfile as an engine does, on a base of this machine's Node: no registry of images is asked. Takes root. */
export async function buildImage(): Promise<Image> {
  const directory = mkdtempSync(join(roomy(), "image-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    return { ...(await build(directory)), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function build(directory: string): Promise<Omit<Image, "remove">> {
  const storage = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
  const env = { ...process.env, TMPDIR: directory };
  const buildah = async (command: string, args: readonly string[]) => {
    const all = [...storage, "--storage-driver", "vfs", command, ...args];
    return (await run("buildah", all, { cwd: ROOT, env })).stdout.trim();
  };

  const scratch = await buildah("from", ["scratch"]);
  await layOutBase(await buildah("mount", [scratch]));
  await buildah("config", ["--env", "PATH=/usr/local/bin:/usr/bin:/bin", scratch]);
  await buildah("commit", ["--quiet", "--rm", scratch, "localhost/node"]);

  const volumes = [
    `${await npmSetting("cache")}:/root/.npm`,
    `${await npmSetting("userconfig")}:/root/.npmrc:ro`,
    `${process.env["NODE_EXTRA_CA_CERTS"] ?? ""}:${AUTHORITIES}:ro`,
  ].filter((volume) => existsSync(volume.split(":")[0] ?? ""));
  // Docker's format has a HEALTHCHECK.
  const how = "--isolation chroot --network host --format docker --quiet --build-arg NODE=localhost/node";
  const what = "--file deploy/Dockerfile --tag localhost/built .";
  const mounts = volumes.flatMap((volume) => ["--volume", volume]);
  await buildah("build", [...how.split(" "), ...mounts, ...what.split(" ")]);

  const inspected = await buildah("inspect", ["--type", "image", "localhost/built"]);
  const { config } = (JSON.parse(inspected) as { Docker: { config: Inspected } }).Docker;
  return {
    root: await buildah("mount", [await buildah("from", ["localhost/built"])]),
    user: config.User,
    directory: config.WorkingDir,
    env: Object.fromEntries(config.Env.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string])),
    entrypoint: config.Entrypoint,
    command: config.Cmd,
    healthcheck: config.Healthcheck.Test.slice(1),
  };
}

/** Where the base finds the authorities that this machine trusts besides Node's own. */
const AUTHORITIES = "/etc/ssl/certs/authorities.pem";

/** npm's setting, as it is for this repository. */
const npmSetting = async (key: string) =>
  (await run("npm", ["config", "get", key], { cwd: ROOT })).stdout.trim();

/** In memory if that has room: buildah's vfs copies every file several times. */
function roomy(): string {
  const shared = "/dev/shm";
  if (!existsSync(shared)) return tmpdir();
  const { bavail, bsize } = statfsSync(shared);
  return bavail * bsize > 4 * 1024 ** 3 ? shared : tmpdir();
}

/** What the Dockerfile needs of its base: Node, npm, a shell and three tools, with their libraries. */
async function layOutBase(base: string): Promise<void> {
  for (const name of ["usr/local/bin", "usr/local/etc", "usr/bin", "usr/lib", "usr/lib64", "etc/ssl/certs"])
    mkdirSync(join(base, name), { recursive: true });
  for (const name of ["bin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(base, name));
  for (const name of ["proc", "dev", "sys", "tmp", "var/tmp", "root/.npm"])
    mkdirSync(join(base, name), { recursive: true });
  chmodSync(join(base, "tmp"), 0o1777);
  writeFileSync(join(base, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");

  const place = (from: string, to = from) => cpSync(realpathSync(from), join(base, to), { recursive: true });
  place(process.execPath, "usr/local/bin/node");
  const tools = ["sh", "env", "rm", "cp"].map((name) => `/usr/bin/${name}`);
  for (const tool of tools) place(tool);
  const { stdout } = await run("ldd", [process.execPath, ...tools]);
  for (const [, library = ""] of stdout.matchAll(/\s(\/\S+) \(0x/g)) place(library);

  const { stdout: npm } = await run("sh", ["-c", "readlink -f $(command -v npm)"]);
  place(dirname(dirname(npm.trim())), "usr/local/lib/node_modules/npm");
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(base, "usr/local/bin/npm"));
  const settings = [`registry=${await npmSetting("registry")}`, "prefer-offline=true"];
  if (process.env["NODE_EXTRA_CA_CERTS"]) settings.push(`cafile=${AUTHORITIES}`);
  writeFileSync(join(base, AUTHORITIES), "");
  writeFileSync(join(base, "usr/local/etc/npmrc"), `${settings.join("\n")}\n`);
}

/**
 * In a mount namespace of its own, so that nothing is left behind however it ends; the program keeps the process id.
 * `$1` to `$3` are root, user and directory.
 */
const CONTAIN = `
root=$1 user=$2 directory=$3; shift 3
mount --bind "$root" "$root"; mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec /usr/sbin/chroot --userspec="$user" "$root" /usr/bin/env -C "$directory" "$@"`;

/** Starts a program in the image as an engine does with a read-only root: its user, directory and variables. On this machine's network. */
export function start(image: Image, program: readonly string[], env: Record<string, string> = {}) {
  const args = ["--mount", "sh", "-ec", CONTAIN, "sh", image.root, image.user, image.directory, ...program];
  return spawn("unshare", args, { stdio: ["ignore", "pipe", "pipe"], env: { ...image.env, ...env } });
}
