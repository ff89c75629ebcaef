import { freePort } from "./free-port.ts";
import { eventually } from "./harness.ts";
import { type RedisServer, startRedis } from "./redis.ts";

/** A Redis Cluster of three primaries, and one replica for the primary that has the key's slot. */
export interface RedisCluster {
  url: string;
  slot: string;
  /** Who has the key's slot at first, its replica, and another primary. */
  owner: RedisServer;
  replica: RedisServer;
  other: RedisServer;
  primaries: readonly RedisServer[];
  idOf: (server: RedisServer) => Promise<string>;
}

const RANGES = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const;

/** Starts a cluster on the loopback that calls a node failed after a second, and waits until it is complete. */
export async function startCluster(key: string): Promise<RedisCluster> {
  const nodes = await Promise.all(
    [0, 1, 2, 3].map(async () => {
      const busPort = await freePort();
      const server = await startRedis(
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        String(busPort),
        "--cluster-node-timeout",
        "1000",
        // However long it was frozen, it may be elected.
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
      );
      return { server, busPort };
    }),
  );
  const servers = nodes.map(({ server }) => server);
  const [first, ...others] = nodes;
  const primaries = servers.slice(0, 3);
  const replica = servers[3];
  if (!first || !replica) throw new Error("no nodes");
  for (const [i, [from, to]] of RANGES.entries()) {
    await primaries[i]?.cli("CLUSTER", "ADDSLOTSRANGE", String(from), String(to));
    await servers[i]?.cli("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
  }
  for (const { server, busPort } of others) {
    await first.server.cli("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
  }
  const all = async (holds: (info: string) => boolean) =>
    (await Promise.all(servers.map((server) => server.cli("CLUSTER", "INFO")))).every(holds);
  await eventually(() => all((info) => info.includes("cluster_known_nodes:4")));

  const slot = await first.server.cli("CLUSTER", "KEYSLOT", key);
  const index = RANGES.findIndex(([from, to]) => Number(slot) >= from && Number(slot) <= to);
  const [owner, other] = [primaries[index], primaries[(index + 1) % 3]];
  if (!owner || !other) throw new Error("no primary for the slot");
  const idOf = (server: RedisServer) => server.cli("CLUSTER", "MYID");
  await replica.cli("CLUSTER", "REPLICATE", await idOf(owner));
  await eventually(() => all((info) => info.includes("cluster_state:ok")));
  await eventually(async () => (await owner.cli("INFO", "replication")).includes("state=online"));
  const hosts = primaries.map(({ port }) => `127.0.0.1:${port}`).join(",");
  return { url: `redis+cluster://${hosts}`, slot, owner, replica, other, primaries, idOf };
}
