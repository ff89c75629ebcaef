import * as grpc from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { VerificationLinkState as State } from "../../gen/faceverification/v1/link_pb.ts";
import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Balancer, startBalancer } from "../support/balancer.ts";
import { type Child, endChildren, startChild, startUpstream } from "../support/child.ts";
import { GrpcClient } from "../support/grpc-client.ts";
import { SHARED_SERVERS, type SharedServer, stopSharedServers } from "../support/shared-server.ts";
import { createVisitor, PERSON, statusOf, type Visitor } from "./rig.ts";

afterAll(stopSharedServers);

describe.each(SHARED_SERVERS)(
  "links of three processes on one $name, behind a balancer",
  ({ start, missing }) => {
    if (missing !== undefined) {
      test.skip(missing, () => undefined);
      return;
    }
    let server: SharedServer;
    let sandbox: Sandbox;
    let balancer: Balancer;
    let children: Child[];
    let visitor: Visitor;
    let client: GrpcClient;

    beforeAll(async () => {
      const [shared, upstream, front] = await Promise.all([start(), startUpstream(), startBalancer()]);
      [server, sandbox, balancer] = [shared, upstream.sandbox, front];
      const env = { ...upstream.env, STORE_URL: server.url, PUBLIC_URL: `http://${balancer.http}` };
      children = await Promise.all([1, 2, 3].map(() => startChild({ env })));
      for (const child of children) balancer.add(child);
      client = new GrpcClient(balancer.grpc, grpc.credentials.createInsecure());
      visitor = createVisitor(() => `http://${balancer.http}`, client);
    });
    afterEach(() => {
      expect(sandbox.breaches).toEqual([]);
    });
    afterAll(async () => {
      client?.close();
      await endChildren();
      await balancer?.stop();
      await sandbox?.stop();
    });

    /** What a browser of this balancer sends with a press. */
    const sameSite = () => ({ "sec-fetch-site": "same-origin", connection: "close" });
    /** The same question to each process. */
    const everywhere = <T>(ask: (each: Visitor) => Promise<T>): Promise<T[]> =>
      Promise.all(children.map(({ http }) => ask(createVisitor(() => http, client))));

    async function capture(launchUrl = "", outcome = "passed"): Promise<string> {
      const page = await fetch(launchUrl, { redirect: "manual" });
      const session = new URL(page.headers.get("location") ?? "", sandbox.url);
      const body = new URLSearchParams({ outcome });
      const sent = await fetch(session, { method: "POST", body, redirect: "manual" });
      return sent.headers.get("location") ?? "";
    }

    test("whichever process answers, a link is one link, from its making to its verdict", async () => {
      const { url, linkId } = await visitor.create();
      for (const page of await everywhere((each) => each.open(url))) expect(page.status).toBe(200);
      const presses = await everywhere((each) => each.press(url, sameSite()));
      expect(new Set(presses.map(({ location }) => location)).size).toBe(1);
      expect(sandbox.stats.calls).toMatchObject({ upload: 1, nonce_ticket: 1 });
      for (const { state } of await everywhere((each) => each.state(url))) expect(state).toBe("STARTED");
      await visitor.visit(await capture(presses[0]?.location));
      const states = await everywhere((each) => each.state(url));
      expect(states).toMatchObject(states.map(() => ({ state: "COMPLETED", verdict: "PASSED" })));
      const link = await visitor.get(linkId);
      expect(link).toMatchObject({ state: State.COMPLETED, verdict: Verdict.PASSED });
      expect(link.attempts).toMatchObject([{ returnSigned: true }]);
    });

    test("the store shows neither the person nor the link's id, and loses the identity at its end", async () => {
      const before = (await server.launches()).split("\n").length;
      const { linkId } = await visitor.create({ userId: "stored1", reference: "loan-stored" });
      const stored = await server.launches();
      expect(stored.split("\n").length - before).toBe(2);
      for (const secret of [PERSON.name, PERSON.idNo, linkId, "stored1", "loan-stored"]) {
        expect(stored).not.toContain(secret);
        expect(stored).not.toContain(Buffer.from(secret).toString("base64").replace(/=+$/, ""));
      }
      await visitor.revoke(linkId);
      expect((await server.launches()).split("\n").length - before).toBe(1);
      expect((await visitor.get(linkId)).state).toBe(State.REVOKED);
    });

    test("one request id is one link, however many processes are asked at once", async () => {
      const request = { requestId: `r-${Math.random()}`, userId: "repeated1" };
      const links = await Promise.all([1, 2, 3, 4, 5, 6].map(() => visitor.create(request)));
      expect(new Set(links.map(({ linkId }) => linkId)).size).toBe(1);
    });

    test("a revocation at one process stops a press at another", async () => {
      const { url, linkId } = await visitor.create({ userId: "revoked1" });
      await visitor.revoke(linkId);
      for (const { location } of await everywhere((each) => each.press(url, sameSite()))) {
        expect(location?.endsWith(`/v/${linkId}`)).toBe(true);
      }
    });

    test("while the store is unreachable a link is unavailable, and never unknown", async () => {
      const { url, linkId } = await visitor.create({ userId: "away1" });
      await server.kill();
      const { status, text } = await visitor.open(url);
      expect(status).toBe(503);
      expect(text).toContain("<main>");
      expect(await statusOf(visitor.get(linkId))).toBe(grpc.status.UNAVAILABLE);
      expect(await statusOf(visitor.create({ userId: "away2" }))).toBe(grpc.status.UNAVAILABLE);
    });
  },
);
