import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { seededRandom } from "../../src/sandbox/random.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Attempt } from "../../src/sandbox/transcripts/attempts.ts";
import { createTranscripts, transcribedBody } from "../../src/sandbox/transcripts/transcripts.ts";
import { type createMerchant, PERSON, withSandbox } from "./merchant.ts";

type Merchant = ReturnType<typeof createMerchant>;
const FORM = "application/x-www-form-urlencoded";
const record = { record: true, random: seededRandom(7) };

const attemptsOf = async ({ request }: Merchant) =>
  (await request("/sandbox/attempts"))["attempts"] as Attempt[];
const shape = ({ steps }: Attempt) =>
  steps.map(({ endpoint, behind }) => [endpoint, ...behind.map((each) => each.endpoint)]);

/** Connects a backend that makes its vendor calls while it answers; returns a function that closes it. */
async function connectBackend(sandbox: Sandbox, merchant: Merchant): Promise<() => void> {
  const server = createServer(async (request, response) => {
    const pair = await merchant.refresh();
    const launch = request.url === "/get_face_params" && (await merchant.launch(pair, { version: "2" }));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ code: "0", result: launch }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  sandbox.connect({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return () => server.close();
}

test("the calls that a backend makes for a step are behind it, and the attempt ends with the verdict", () =>
  withSandbox(record, async (sandbox, merchant) => {
    const { post, query, refresh } = merchant;
    const close = await connectBackend(sandbox, merchant);
    // The backend sends a wrong version, so that its upload is refused.
    await post(
      "/get_face_params",
      new URLSearchParams({ name: PERSON.name, id_no: PERSON.idNo }).toString(),
      FORM,
    );
    close();
    const [refused] = (await attemptsOf(merchant)) as [Attempt];
    expect(shape(refused)).toEqual([
      ["get_face_params", "access_token", "sign_ticket", "upload", "nonce_ticket"],
    ]);
    expect(refused.steps[0]?.behind[2]).toMatchObject({
      code: "400502",
      msg: expect.stringContaining("version") as string,
    });

    // A backend whose app does not go through the sandbox: vendor calls alone.
    const pair = await refresh();
    sandbox.advance(3_000);
    const launch = await merchant.launch(pair);
    await merchant.play(launch);
    await query(pair.ticket, launch.order_no);
    const [alone] = (await attemptsOf(merchant)) as [Attempt];
    expect(alone).toMatchObject({ orderNo: launch.order_no, scenario: "passed" });
    expect(shape(alone)).toEqual([["upload"], ["sdk_verify"], ["query"]]);
    const text = JSON.stringify(await attemptsOf(merchant));
    for (const value of [PERSON.name, PERSON.idNo, ...sandbox.issuedValues()])
      expect(text).not.toContain(value);
  }));

test("a call is shown as it was sent, with what it signed in the vendor's order", () =>
  withSandbox(record, async (sandbox, merchant) => {
    const { refresh, uploadBody, post, request } = merchant;
    const { ticket } = await refresh();
    const body = uploadBody(ticket);
    await post(`/api/server/getAdvFaceId?orderNo=${String(body["orderNo"])}`, body);
    const { id = 0 } = sandbox.picture.calls.find(({ endpoint }) => endpoint === "upload") ?? {};
    const detail = await request(`/sandbox/calls/${id}`);
    expect(detail).toMatchObject({
      request: {
        method: "POST",
        url: `/api/server/getAdvFaceId?orderNo=${String(body["orderNo"])}`,
        body: JSON.stringify(body),
      },
      answer: { status: 200, body: expect.stringContaining('"code":"0"') as string },
      signed: { ticket: "SIGN", generation: 1, agrees: true, sent: body["sign"], digest: body["sign"] },
      breaches: [],
    });
    const { parts } = detail["signed"] as { parts: { name: string; value: string }[] };
    const values = parts.map(({ value }) => value);
    expect(values).toEqual([...values].sort());
    expect(parts.map(({ name }) => name).sort()).toEqual(["appId", "nonce", "ticket", "userId", "version"]);
    expect(await request("/sandbox/calls/999")).toMatchObject({ code: "404" });
  }));

test("a wrong signature is shown beside the right one", () =>
  withSandbox(record, async (sandbox, merchant) => {
    const { refresh, uploadBody, upload, request } = merchant;
    const { ticket } = await refresh();
    const nonce = "n".repeat(32);
    await upload(ticket, { nonce, sign: "0".repeat(40) });
    const { id = 0 } = sandbox.picture.calls.at(-1) ?? {};
    const right = uploadBody(ticket, { nonce })["sign"];
    expect(await request(`/sandbox/calls/${id}`)).toMatchObject({
      signed: { agrees: false, sent: "0".repeat(40), digest: right },
      breaches: [{ rule: "signature_wrong", call: id }],
    });
  }));

test("a breach says which control led to it, and none where the backend alone did it", () =>
  withSandbox(record, async (sandbox, merchant) => {
    const { refresh, fetchTicket, upload, launch, play, post } = merchant;
    const causes = () => sandbox.breaches.map(({ rule, cause }) => [rule, cause]);
    const caught = async (work: () => Promise<unknown>) => {
      sandbox.clearBreaches();
      await work();
      return causes();
    };
    let pair = await refresh();
    sandbox.advance(1_000);
    sandbox.revoke();
    expect(await caught(() => fetchTicket(pair.token))).toEqual([["token_dead", "revoke"]]);
    expect(await caught(() => upload(pair.ticket))).toEqual([["sign_ticket_dead", "revoke"]]);
    sandbox.advance(1_000);
    pair = await refresh();
    sandbox.advance(1_000);
    sandbox.rotate();
    sandbox.advance(61_000);
    expect(await caught(() => upload(pair.ticket))).toEqual([["sign_ticket_dead", "rotate"]]);
    pair = await refresh();
    sandbox.advance(3_601_000);
    expect(await caught(() => upload(pair.ticket))).toEqual([["sign_ticket_dead", "clock"]]);
    pair = await refresh();
    const parameters = await launch(pair);
    await play(parameters);
    const fromPage = {
      method: "POST",
      headers: { "x-sandbox-caller": "console" },
      body: JSON.stringify(parameters),
    };
    expect(await caught(() => merchant.request("/sdk/verify", fromPage))).toEqual([
      ["nonce_ticket_used", "console"],
      ["face_id_used", "console"],
    ]);
    expect(await caught(() => post("/sdk/verify", parameters))).toEqual([
      ["nonce_ticket_used", undefined],
      ["face_id_used", undefined],
    ]);
    // An honest retry after an answer that was lost: the backend cannot know that the order exists.
    sandbox.faults.add({ endpoint: "upload", kind: "lost_reply" });
    await upload(pair.ticket, { orderNo: "lost" }).catch(() => undefined);
    expect(await caught(() => upload(pair.ticket, { orderNo: "lost" }))).toEqual([
      ["order_no_reused", "fault"],
    ]);
    expect(await caught(() => fetchTicket("never issued"))).toEqual([["token_unknown", undefined]]);
  }));

test("a sandbox that was not asked to keeps no request and no answer", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { refresh, upload, request } = merchant;
    await upload((await refresh()).ticket);
    const { id = 0 } = sandbox.picture.calls.at(-1) ?? {};
    expect(await request(`/sandbox/calls/${id}`)).toMatchObject({ code: "404" });
    expect(await request("/sandbox/attempts")).toEqual({ attempts: [] });
    expect(sandbox.transcriber).toBeUndefined();
  }));

test("transcripts are bounded in number and in size, oldest first", () => {
  const transcripts = createTranscripts({ transcripts: 3, chars: 1_000 });
  const add = (id: number, body: string) => {
    const call = { id, endpoint: "upload" as const, caller: "", startedAt: 0 };
    transcripts.add({ call, request: { method: "POST", url: "/", ...transcribedBody("", body) }, facts: {} });
    transcripts.trim();
  };
  const ids = () => transcripts.list().map(({ call }) => call.id);
  for (const id of [1, 2, 3, 4]) add(id, "x");
  expect(ids()).toEqual([2, 3, 4]);
  add(5, "x".repeat(997));
  expect(ids()).toEqual([4, 5].filter((id) => id !== 4 || 1_000 >= 998 + 2));
  expect(transcribedBody("", "x".repeat(40_000))).toMatchObject({ length: 40_000, body: "x".repeat(32_768) });
});

test("a reset forgets everything but the living credentials", () =>
  withSandbox({ ...record, latencyMs: 0 }, async (sandbox, merchant) => {
    const { refresh, upload, post, request } = merchant;
    const { secret } = sandbox;
    const { ticket } = await refresh();
    sandbox.faults.add({ endpoint: "query", kind: "reset" });
    sandbox.latencyMs = 300;
    sandbox.rotate();
    sandbox.revoke("15");
    sandbox.changeSecret("n".repeat(64));
    sandbox.latencyMs = 0;
    await upload(ticket);
    expect(await post("/sandbox/reset", {})).toEqual({});
    expect(sandbox).toMatchObject({ breaches: [], latencyMs: 0, secret });
    expect(sandbox.faults.list()).toEqual([]);
    expect(sandbox.picture).toMatchObject({
      calls: [],
      startedAt: sandbox.now(),
      stats: { calls: { upload: 0 } },
    });
    expect(sandbox.picture.tokens).toHaveLength(1);
    expect(await request("/sandbox/attempts")).toEqual({ attempts: [] });
    expect(await upload(ticket)).toMatchObject({ code: "0" });
    expect(sandbox.breaches).toEqual([]);
  }));
