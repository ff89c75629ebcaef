import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";
import { afterEach, expect, test } from "vitest";
import { endChildren, startChild, startUpstream } from "../support/child.ts";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { eventually, unusedPort } from "../support/harness.ts";
import { TOKEN } from "../support/subscribed.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await endChildren();
});

/** `npm run listen`, without npm. */
function startListen(...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, ["src/listen/main.ts", ...args], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...COMPILE_CACHE, LISTEN_TOKEN: TOKEN },
  });
  stops.push(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on("line", (line) => lines.push(line));
  }
  const exited = once(child, "close").then(([code]: unknown[]) => code);
  return {
    lines,
    secret: () => lines.map((line) => /whsec_\S+/.exec(line)?.[0]).find((secret) => secret !== undefined),
    async stop() {
      child.kill("SIGINT");
      return exited;
    },
    exited,
  };
}

/** The program of somebody at their own machine. */
async function startProgram() {
  const requests: { id: string; body: string; headers: Record<string, string>; status: number }[] = [];
  const state = { status: 200 };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const headers = request.headers as Record<string, string>;
      requests.push({ id: headers["webhook-id"] ?? "", body, headers, status: state.status });
      response.writeHead(state.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return {
    url,
    requests,
    state,
    taken: () => requests.filter(({ status }) => status === 200).map(({ id }) => id),
  };
}

/** A service whose ledger outlives its process, at one address. */
async function createService() {
  const { sandbox, env } = await startUpstream();
  const directory = mkdtempSync(join(tmpdir(), "listen-"));
  stops.push(
    () => sandbox.stop(),
    () => rmSync(directory, { recursive: true, force: true }),
  );
  const address = `127.0.0.1:${await unusedPort()}`;
  const start = () =>
    startChild({
      env: {
        ...env,
        GRPC_ADDR: address,
        GRPC_AUTH_TOKENS: `ops:${TOKEN}`,
        LEDGER_URL: `sqlite:${directory}`,
        STORE_URL: `file:${directory}/tickets`,
      },
    });
  let people = 0;
  /** Launches, plays the SDK and reads the verdict; the event's id. */
  async function finish(http: string): Promise<string> {
    const person = { name: "张三", id_no: "11010519491231002X", user_id: `user${++people}` };
    const post = async (path: string, fields: Record<string, string>) => {
      const response = await fetch(`${http}${path}`, { method: "POST", body: new URLSearchParams(fields) });
      return (await response.json()) as { result: Record<string, string> };
    };
    const { result } = await post("/get_face_params", person);
    await fetch(`${sandbox.url}/sdk/verify`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(result),
    });
    await post("/get_result", { order_no: result["order_no"] ?? "" });
    return `evt_${result["order_no"]}`;
  }
  return { url: `http://${address}`, start, finish };
}

test("events of a running service reach a local program, signed, also across a restart, and past ones again", async () => {
  const service = await createService();
  const program = await startProgram();
  let child = await service.start();
  const args = ["--service", service.url, "--forward-to", program.url];
  const first = await service.finish(child.http);

  const listener = startListen(...args);
  await eventually(() => listener.secret() !== undefined);
  // What ended before does not come by itself.
  await eventually(async () =>
    /^faceid_watchers\{.*\} 1$/m.test(await (await fetch(`${child.admin}/metrics`)).text()),
  );
  const second = await service.finish(child.http);
  await eventually(() => program.requests.length === 1);
  const [{ id, body, headers } = { id: "", body: "", headers: {} }] = program.requests;
  expect(id).toBe(second);
  expect(new Webhook(listener.secret() ?? "").verify(body, headers)).toMatchObject({
    type: "order.completed",
    data: { order_no: second.slice(4), verdict: "VERDICT_PASSED" },
  });
  await eventually(() => listener.lines.some((line) => line.includes(second) && line.includes("200 in")));

  // The program fails for a moment, and the service restarts.
  program.state.status = 500;
  const third = await service.finish(child.http);
  await eventually(() =>
    listener.lines.some((line) => line.includes(third) && line.includes("500") && line.includes("again in")),
  );
  program.state.status = 200;
  await eventually(() => program.taken().includes(third));
  child.signal("SIGKILL");
  await child.exited;
  await eventually(() => listener.lines.some((line) => line.includes("Trying again")));
  child = await service.start();
  const fourth = await service.finish(child.http);
  await eventually(() => program.taken().includes(fourth));
  expect(program.taken()).toEqual([second, third, fourth]);
  expect(await listener.stop()).toBe(0);
  const token = /--resume (\S+)/.exec(listener.lines.at(-1) ?? "")?.[1] ?? "";

  // Later ones by its token, and past ones on demand.
  program.requests.length = 0;
  const fifth = await service.finish(child.http);
  const again = startListen(...args, "--resume", token, "--replay", first.slice(4), "--replay", "evt_nosuch");
  await eventually(() => program.taken().includes(fifth));
  expect(program.taken()).toEqual([first, fifth]);
  expect(again.lines).toContain("The ledger has no event evt_nosuch.");
  expect(await again.stop()).toBe(0);

  program.requests.length = 0;
  const since = startListen(...args, "--since", "1h");
  await eventually(() => program.taken().length === 5);
  expect(program.taken()).toEqual([first, second, third, fourth, fifth]);
  expect(await since.stop()).toBe(0);
});

test("what only its user can cure ends it, with one sentence", async () => {
  const service = await createService();
  await service.start();
  const args = ["--service", service.url, "--forward-to", "http://127.0.0.1:9/hook"];
  const wrong = startListen(...args, "--resume", "x");
  expect(await wrong.exited).toBe(1);
  expect(wrong.lines.at(-1)).toContain("must be a resume_token of WatchResults");
  const usage = startListen();
  expect(await usage.exited).toBe(2);
  expect(usage.lines[0]).toBe("--forward-to: give the URL of your program");
});
