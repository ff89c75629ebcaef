import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream";

/** A process behind the balancer: base URLs and `host:port` as in `Child`. */
export interface Backend {
  http: string;
  grpc: string;
  admin: string;
}

/** Passes connections on, as a balancer of layer 4 does: new ones to who is ready, old ones where they have been. */
export interface Balancer {
  /** `host:port` of its two doors. */
  http: string;
  grpc: string;
  add(backend: Backend): void;
  remove(backend: Backend): void;
  stop(): Promise<void>;
}

const PROBE_MS = 100;

export async function startBalancer(): Promise<Balancer> {
  const backends = new Map<Backend, boolean>();
  const sockets = new Set<Socket>();
  let turn = 0;
  const probing = setInterval(() => {
    for (const backend of backends.keys()) {
      fetch(`${backend.admin}/readyz`).then(
        ({ ok }) => backends.has(backend) && backends.set(backend, ok),
        () => backends.has(backend) && backends.set(backend, false),
      );
    }
  }, PROBE_MS);

  async function open(target: (backend: Backend) => string): Promise<{ server: Server; address: string }> {
    const server = createServer((socket) => {
      const ready = [...backends].filter(([, isReady]) => isReady).map(([backend]) => backend);
      const backend = ready[turn++ % ready.length];
      if (!backend) return void socket.destroy();
      const [host = "", port = ""] = target(backend).split(":");
      const onward = connect(Number(port), host);
      for (const one of [socket, onward]) {
        one.setNoDelay(true);
        sockets.add(one);
        one.once("close", () => sockets.delete(one));
      }
      pipeline(socket, onward, () => undefined);
      pipeline(onward, socket, () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  const http = await open((backend) => new URL(backend.http).host);
  const grpc = await open((backend) => backend.grpc);
  return {
    http: http.address,
    grpc: grpc.address,
    add: (backend) => void backends.set(backend, true),
    remove: (backend) => void backends.delete(backend),
    async stop() {
      clearInterval(probing);
      for (const socket of sockets) socket.destroy();
      await Promise.all([http, grpc].map(({ server }) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
