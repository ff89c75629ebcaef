import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server and loses what it is told to lose. */
export interface Proxy {
  port: number;
  /** From now on nothing passes on the connections that are open; new ones work. */
  swallow(): void;
  /** Passes on the next request that holds `text`, and cuts the connection instead of answering. */
  cutAnswerTo(text: string): void;
  /** Connections that were made so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<{ client: Socket; server: Socket; silent: boolean; doomed: boolean }>();
  let connections = 0;
  let cutting: string | undefined;

  const listener = createServer((client) => {
    connections++;
    const pair = { client, server: connect(target, "127.0.0.1"), silent: false, doomed: false };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      pair.server.destroy();
    };
    client.on("data", (data) => {
      if (pair.silent) return;
      if (cutting !== undefined && data.includes(cutting)) {
        cutting = undefined;
        pair.doomed = true;
      }
      pair.server.write(data);
    });
    pair.server.on("data", (data) => {
      if (pair.silent) return;
      if (pair.doomed) client.resetAndDestroy();
      else client.write(data);
    });
    for (const socket of [client, pair.server]) socket.on("error", end).on("close", end);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));

  return {
    port: (listener.address() as AddressInfo).port,
    swallow() {
      for (const pair of pairs) pair.silent = true;
    },
    cutAnswerTo(text) {
      cutting = text;
    },
    get connections() {
      return connections;
    },
    async stop() {
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
