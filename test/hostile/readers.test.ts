import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GetResultRequestSchema } from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { grpcFrame } from "../support/grpc-frame.ts";
import { eventually } from "../support/harness.ts";
import { costOf } from "./cost.ts";
import { begin, open } from "./send.ts";
import { FAST, GET_RESULT, MIB, PLAIN } from "./shapes.ts";
import { linesOf } from "./told.ts";
import { startVideos } from "./videos.ts";

const CLIENTS = 60;
const VIDEO = 8 * MIB;
/** LIMIT_UNREAD_MIB, as it is unless set. */
const UNREAD = 64 * MIB;

let sandbox: Sandbox;
let videos: Awaited<ReturnType<typeof startVideos>>;
let child: Child;
let ask: Buffer;
beforeAll(async () => {
  const upstream = await startUpstream();
  ({ sandbox } = upstream);
  videos = await startVideos(sandbox.url, VIDEO);
  child = await startChild({ env: { ...upstream.env, FACEID_BASE_URL: videos.url } });
  const form = new URLSearchParams({ name: "张三", id_no: "11010519491231002X" });
  const launched = await fetch(`${child.http}/get_face_params`, { method: "POST", body: form });
  const { result } = (await launched.json()) as { result: { order_no: string } };
  const headers = { "content-type": "application/json" };
  await fetch(`${sandbox.url}/sdk/verify`, { method: "POST", headers, body: JSON.stringify(result) });
  const request = create(GetResultRequestSchema, { orderNo: result.order_no, includeMedia: true });
  ask = grpcFrame(toBinary(GetResultRequestSchema, request));
  // Lines leave the process in batches; a late one would be counted with those of the test.
  await eventually(() => linesOf(child, "call_finished").length === 1);
});
afterAll(async () => {
  await endChildren();
  await sandbox.stop();
  await videos.stop();
});

/** So many clients, a connection each, ask for a video; what that cost until all are answered and `settled`. */
async function watch(
  clients: number,
  headers: Record<string, string>,
  reads: boolean,
  settled: (given: number) => boolean,
) {
  const sessions = Array.from({ length: clients }, () => open(`http://${child.grpc}`));
  const before = linesOf(child, "call_finished").length;
  const answered = () => linesOf(child, "call_finished").slice(before);
  // A busy vendor may come too late with some of them.
  const given = () => answered().filter((line) => line["media_error"] === undefined).length;
  const cost = await costOf(child, async () => {
    for (const session of sessions) {
      const stream = begin(session, GET_RESULT, headers);
      if (reads) stream.resume();
      stream.end(ask);
    }
    await eventually(() => answered().length >= clients && settled(given()), 60_000);
  });
  const left = sessions.filter((session) => !session.destroyed).length;
  for (const session of sessions) session.destroy();
  return { cost, holding: left - (clients - given()) };
}

test("60 clients that request a video and do not read it hold no more memory than the limit", async () => {
  // As many as fit into the limit, and read.
  const honest = await watch(UNREAD / VIDEO, FAST, true, () => true);
  expect(honest.holding).toBe(UNREAD / VIDEO);
  expect(linesOf(child, "reader_dropped")).toEqual([]);
  for (const headers of [FAST, { ...PLAIN, "grpc-accept-encoding": "identity" }]) {
    const before = linesOf(child, "reader_dropped").length;
    const dropped = () => linesOf(child, "reader_dropped").length - before;
    const { cost, holding } = await watch(
      CLIENTS,
      headers,
      false,
      (given) => (given - dropped()) * VIDEO <= UNREAD,
    );
    expect(holding).toBeLessThanOrEqual(UNREAD / VIDEO);
    // Twice for garbage. Without videos that wait for room it is half a gigabyte more than those who read.
    expect(cost.rssMib).toBeLessThan(Math.max(0, honest.cost.rssMib) + (2 * UNREAD) / MIB);
    const [line] = linesOf(child, "reader_dropped");
    expect(line).toMatchObject({ level: "warn", crowded: true });
  }
  expect(child.err()).toBe("");
}, 120_000);
