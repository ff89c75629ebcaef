import { seededRandom } from "../../src/sandbox/random.ts";
import { startChild, startUpstream } from "../support/child.ts";
import { envelopeInput, formInput, http1Input, http2Input, jsonInput, protoInput } from "./inputs.ts";
import { createRandom } from "./mutate.ts";
import { type Address, type Answers, sendGrpc, sendHttp1, sendRaw } from "./send.ts";

export interface FuzzOptions {
  /** How many inputs at most, and for how long at most, milliseconds. */
  inputs: number;
  maxMs: number;
  seed: number;
  /** Told every now and then. */
  progress?: (sent: number) => void;
}

export interface FuzzReport {
  sent: number;
  /** By kind of input. */
  answers: Record<string, Answers>;
  /** Bytes of the heap and of the whole process, after a tenth of the inputs and at the end. */
  heap: [number, number];
  rss: [number, number];
  /** What must not be: crashes, answers that blame the service, growth. */
  findings: string[];
}

const BATCH = 50;
/** So little that what leaks 200 bytes for each of a million inputs ends the process. */
const HEAP_LIMIT = "--max-old-space-size=192";
/** Answers that would be the service's fault. 503 and 504 are the sandbox's, when a mutant is still a good request. */
const BAD = new Set(["500", "501", "502", "505", "grpc 2", "grpc 13", "grpc 15", "silent"]);
const KINDS = ["form", "json", "proto", "grpc-web", "grpc", "http1", "http2"] as const;
/** How often each kind comes, of 20: those that need a connection each are slower. */
const SHARES: Record<(typeof KINDS)[number], number> = {
  form: 6,
  json: 5,
  proto: 4,
  "grpc-web": 2,
  grpc: 1,
  http1: 1,
  http2: 1,
};
const ORDER = KINDS.flatMap((kind) => Array<(typeof KINDS)[number]>(SHARES[kind]).fill(kind));

/** Sends broken requests to a real process of the service, and says what it did. */
export async function fuzz({ inputs, maxMs, seed, progress }: FuzzOptions): Promise<FuzzReport> {
  const { sandbox, env } = await startUpstream({ nonceIntervalMs: 0 });
  const child = await startChild({ env: { ...env, NODE_OPTIONS: HEAP_LIMIT } });
  let crashed: number | string | undefined;
  void child.exited.then((code) => {
    crashed = code;
  });
  const random = createRandom(seededRandom(seed));
  const http = addressOf(child.http.replace("http://", ""));
  const grpc = addressOf(child.grpc);
  const answers = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as Record<string, Answers>;
  const batch = <T>(make: (from: typeof random) => T) => Array.from({ length: BATCH }, () => make(random));
  const send: Record<(typeof KINDS)[number], (to: Answers) => Promise<unknown>> = {
    form: (to) => sendHttp1(http, batch(formInput), to),
    json: (to) => sendHttp1(http, batch(jsonInput), to),
    proto: (to) => sendHttp1(http, batch(protoInput), to),
    "grpc-web": (to) => sendHttp1(http, batch(envelopeInput), to),
    grpc: (to) => sendGrpc(grpc, batch(envelopeInput), to),
    http1: (to) => Promise.all(batch(http1Input).map((bytes) => sendRaw(http, bytes, to))),
    http2: (to) => Promise.all(batch(http2Input).map((bytes) => sendRaw(grpc, bytes, to))),
  };

  /** Its last word, without what it was sent. */
  const failure = () => child.out.findLast((line) => line.includes('"service_failed"')) ?? "";
  const memory = () => memoryOf(child.admin);
  const end = performance.now() + maxMs;
  let sent = 0;
  let early: Awaited<ReturnType<typeof memory>> | undefined;
  while (sent < inputs && performance.now() < end && crashed === undefined) {
    const kind = random.pick(ORDER);
    await send[kind](answers[kind] as Answers);
    sent += BATCH;
    if (crashed === undefined) child.out.length = 0;
    if (!early && sent >= inputs / 10) early = await memory();
    if (sent % 10_000 < BATCH) progress?.(sent);
  }
  const findings: string[] = [];
  if (crashed !== undefined) findings.push(`the process ended with ${crashed}:\n${failure()}${child.err()}`);
  for (const [kind, seen] of Object.entries(answers)) {
    for (const [answer, times] of seen)
      if (BAD.has(answer)) findings.push(`${kind}: ${answer}, ${times} times`);
  }
  const late = crashed === undefined ? await memory() : early;
  const before = early ?? { heap: 0, rss: 0 };
  const after = late ?? before;
  if (crashed === undefined) {
    const alive = await fetch(`${child.admin}/readyz`);
    if (!alive.ok) findings.push(`not ready afterwards: ${alive.status}`);
    child.signal("SIGTERM");
    const code = await child.exited;
    if (code !== 0) findings.push(`the process stopped with ${code}`);
  }
  await sandbox.stop();
  return { sent, answers, heap: [before.heap, after.heap], rss: [before.rss, after.rss], findings };
}

function addressOf(text: string): Address {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
}

async function memoryOf(admin: string): Promise<{ heap: number; rss: number }> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const sample = (name: string) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
  return { heap: sample("nodejs_heap_size_used_bytes"), rss: sample("process_resident_memory_bytes") };
}
