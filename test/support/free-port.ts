import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Below the ports that Linux gives to outgoing connections (`net.ipv4.ip_local_port_range`, from 32768), and so are those
 * that are 10,000 higher, which Redis Cluster takes for its bus.
 */
const PORTS = { from: 12_000, to: 22_000 };

const given = new Set<number>();

/**
 * A port that is free at the moment and stays free for its server between a stop and a restart: no outgoing
 * connection is given one of this range, and no other test of this process gets the same.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** Whether something accepts connections at a port of this machine. */
export function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
