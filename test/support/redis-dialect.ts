import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** How a server or a proxy differs from Redis; commands in upper case. */
export interface Dialect {
  /** Answers these as unknown. */
  unknown?: readonly string[];
  /** Hangs up on these. */
  hangUp?: readonly string[];
  /** Answers these itself, in RESP. */
  answers?: Readonly<Record<string, string>>;
}

export interface DialectProxy {
  port: number;
  url: string;
  /** Every command that was sent, by its name. */
  seen: readonly string[];
  stop(): Promise<void>;
}

const END = "\r\n";

/** Stands before a real Redis and speaks as another server would: reads each command, and passes on what it does not answer itself. */
export async function startDialect(target: number, dialect: Dialect): Promise<DialectProxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();

  const listener = createServer((client) => {
    const server = connect(target, "127.0.0.1");
    const end = () => {
      for (const socket of [client, server]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", end).on("close", end);
    }
    /** Answers in the order of their requests: bytes of our own, or undefined for the server's next. */
    const answers: (string | undefined)[] = [];
    let received = Buffer.alloc(0);
    let requested = Buffer.alloc(0);

    function flush(): void {
      for (;;) {
        while (answers.length > 0 && answers[0] !== undefined) client.write(answers.shift() ?? "");
        const length = replyLength(received, 0);
        if (length === undefined) return;
        // What the server says unasked, such as a published message, passes.
        answers.shift();
        client.write(received.subarray(0, length));
        received = received.subarray(length);
      }
    }

    client.on("data", (data) => {
      requested = Buffer.concat([requested, data]);
      for (;;) {
        const request = readRequest(requested);
        if (!request) return flush();
        requested = requested.subarray(request.length);
        const [name = ""] = request.words;
        const command = name.toUpperCase();
        seen.push(command);
        if (dialect.hangUp?.includes(command)) return end();
        const own = dialect.unknown?.includes(command)
          ? `-ERR unknown command '${name}', with args beginning with: ${request.words.slice(1, 3).join(" ")}${END}`
          : dialect.answers?.[command];
        answers.push(own);
        if (own === undefined) server.write(request.bytes);
      }
    });
    server.on("data", (data) => {
      received = Buffer.concat([received, data]);
      flush();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    seen,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** The first request of the bytes, an array of bulk strings; undefined while it is not whole. */
function readRequest(bytes: Buffer): { words: string[]; bytes: Buffer; length: number } | undefined {
  const length = replyLength(bytes, 0);
  if (length === undefined) return undefined;
  const words: string[] = [];
  let at = bytes.indexOf(END) + 2;
  while (at < length) {
    const end = bytes.indexOf(END, at);
    const size = Number(bytes.toString("latin1", at + 1, end));
    words.push(bytes.toString("utf8", end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return { words, bytes: bytes.subarray(0, length), length };
}

/** Where the RESP2 value that begins at `start` ends; undefined while it is not whole. */
function replyLength(bytes: Buffer, start: number): number | undefined {
  const end = bytes.indexOf(END, start);
  if (end < 0) return undefined;
  const count = Number(bytes.toString("latin1", start + 1, end));
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case "$": {
      const length = count < 0 ? end + 2 : end + 2 + count + 2;
      return length <= bytes.length ? length : undefined;
    }
    case "*": {
      let at: number | undefined = end + 2;
      for (let i = 0; i < count && at !== undefined; i++) at = replyLength(bytes, at);
      return at;
    }
    default:
      return end + 2;
  }
}
