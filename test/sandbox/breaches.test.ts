import { describe, expect, test } from "vitest";
import { createTurnableClock } from "../../src/sandbox/turnable-clock.ts";
import { createBreachLog } from "../../src/sandbox/vendor/breaches.ts";
import { PHOTO_BASE64 } from "../../src/sandbox/vendor/media.ts";
import type { RuleName } from "../../src/sandbox/vendor/rules.ts";
import { expectedSign } from "../../src/sandbox/vendor/verify.ts";
import { type Changes, frozenClock, PERSON, until, withSandbox } from "./merchant.ts";

describe("the vendor's token call", () => {
  test.each<[RuleName, string, Changes]>([
    ["app_id_unknown", "66660001", { app_id: "TIDA9999" }],
    ["app_id_unknown", "66660001", { app_id: undefined }],
    ["app_id_both_names", "400103", { appId: "TIDA0001" }],
    ["version_wrong", "400502", { version: "1.0" }],
    ["grant_type_wrong", "400104", { grant_type: "CLIENT_CREDENTIAL" }],
    ["secret_wrong", "400104", { secret: "x".repeat(64) }],
    ["unknown_parameter", "0", { appid: "TIDA0001" }],
  ])("the token call answers a breach of %s with %s", (rule, code, changes) =>
    withSandbox({}, async (_sandbox, merchant) => {
      expect(await merchant.fetchToken(changes)).toMatchObject({ code });
      expect(merchant.rules()).toEqual([rule]);
    }),
  );

  test("the token and ticket calls accept appId in place of app_id", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const spelling = { app_id: undefined, appId: "TIDA0001" };
      const token = await merchant.fetchToken(spelling);
      expect(await merchant.fetchTicket(token.access_token ?? "", spelling)).toMatchObject({ code: "0" });
      expect(merchant.rules()).toEqual([]);
    }));

  test("a repeated query parameter is recorded as duplicate_parameter", () =>
    withSandbox({}, async (sandbox, merchant) => {
      const query = `app_id=TIDA0001&version=1.0.0&version=1.0.0&grant_type=client_credential&secret=${sandbox.secret}`;
      expect(await merchant.request(`/api/oauth2/access_token?${query}`)).toMatchObject({ code: "400103" });
      expect(merchant.rules()).toEqual(["duplicate_parameter"]);
    }));

  test("a token call without parameters is answered with 400101", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      expect(await merchant.request("/api/oauth2/access_token")).toMatchObject({ code: "400101" });
      expect(merchant.rules()[0]).toBe("token_call_empty");
    }));

  test("a wrong method is answered with 405 and the allowed method", () =>
    withSandbox({}, async (sandbox, merchant) => {
      const answers = await Promise.all([
        fetch(`${sandbox.url}/api/oauth2/access_token?app_id=TIDA0001`, { method: "POST", body: "{}" }),
        fetch(`${sandbox.url}/api/server/getAdvFaceId?orderNo=o1`),
        fetch(`${sandbox.url}/api/v2/base/queryfacerecord`),
        fetch(`${sandbox.url}/api/server/none`),
      ]);
      expect(answers.map(({ status, headers }) => [status, headers.get("allow")])).toEqual([
        [405, "GET"],
        [405, "POST"],
        [405, "POST"],
        [404, null],
      ]);
      expect(merchant.rules()).toEqual(["method_wrong", "method_wrong", "method_wrong"]);
    }));
});

describe("the vendor's ticket calls", () => {
  test.each<[RuleName, string, Changes]>([
    ["ticket_type_wrong", "400103", { type: "sign" }],
    ["ticket_type_wrong", "400103", { type: "nonce", user_id: "user1" }],
    ["token_unknown", "400103", { access_token: "x".repeat(64) }],
    ["unknown_parameter", "0", { user_id: "user1" }],
    ["ticket_user_id_format", "400103", { type: "NONCE" }],
    ["ticket_user_id_format", "400103", { type: "NONCE", user_id: "u".repeat(33) }],
    ["ticket_user_id_format", "400103", { type: "NONCE", user_id: "user_1" }],
    ["version_wrong", "400502", { type: "NONCE", user_id: "user1", version: undefined }],
  ])("a ticket call answers a breach of %s with %s", (rule, code, changes) =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { token } = await merchant.refresh();
      expect(await merchant.fetchTicket(token, changes)).toMatchObject({ code });
      expect(merchant.rules()).toEqual([rule]);
    }),
  );
});

const big = Buffer.concat([Buffer.from(PHOTO_BASE64, "base64"), Buffer.alloc(512_000)]).toString("base64");

describe("the vendor's upload", () => {
  test.each<[RuleName, string, Changes]>([
    ["version_wrong", "400502", { version: "1.0.1" }],
    ["nonce_format", "400101", { nonce: "n".repeat(16) }],
    ["nonce_format", "400101", { nonce: "-".repeat(32) }],
    ["order_no_format", "400101", { orderNo: "o".repeat(33) }],
    ["order_no_format", "400101", { orderNo: "order_1" }],
    ["user_id_format", "400101", { userId: "u".repeat(33) }],
    ["sign_format", "400101", { sign: "0".repeat(64) }],
    ["signature_wrong", "400101", { sign: "0".repeat(40) }],
    ["field_not_text", "400101", { sourcePhotoType: 2 }],
    ["unknown_parameter", "0", { liveInterType: "1" }],
    ["app_id_field_wrong", "66660001", { appId: undefined, webankAppId: "TIDA0001" }],
    ["app_id_unknown", "66660001", { appId: undefined }],
    ["identity_invalid", "66660015", { idNo: "110105194912310021" }],
    ["identity_invalid", "66660015", { idNo: "11010519490230002X" }],
    ["identity_invalid", "66660015", { idNo: "11010519491231002x" }],
    ["identity_invalid", "66660015", { idNo: "" }],
    ["identity_invalid", "66660015", { name: "张" }],
    ["identity_invalid", "66660015", { name: " 张三" }],
    ["photo_type_without_photo", "400101", { sourcePhotoType: "2" }],
    ["photo_type_wrong", "400101", { sourcePhotoStr: PHOTO_BASE64, sourcePhotoType: "3" }],
    ["photo_type_wrong", "400101", { sourcePhotoStr: PHOTO_BASE64 }],
    [
      "photo_encoding_wrong",
      "66660039",
      { sourcePhotoStr: `data:image/png;base64,${PHOTO_BASE64}`, sourcePhotoType: "2" },
    ],
    [
      "photo_encoding_wrong",
      "66660039",
      { sourcePhotoStr: PHOTO_BASE64.replace(/^.{76}/, "$&\n"), sourcePhotoType: "2" },
    ],
    ["photo_format_wrong", "66660039", { sourcePhotoStr: "R0lGODlhAQABAAAA", sourcePhotoType: "2" }],
    ["photo_too_large", "400601", { sourcePhotoStr: big, sourcePhotoType: "2" }],
  ])("the upload answers a breach of %s with %s", (rule, code, changes) =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      expect(await merchant.upload(ticket, changes)).toMatchObject({ code });
      expect(merchant.rules()).toEqual([rule]);
    }),
  );

  test("the upload accepts a photo with and without name and ID number", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      const photo = { sourcePhotoStr: PHOTO_BASE64, sourcePhotoType: "1" };
      expect(await merchant.upload(ticket, photo)).toMatchObject({ code: "0" });
      expect(await merchant.upload(ticket, { ...photo, name: undefined, idNo: undefined })).toMatchObject({
        code: "0",
      });
      expect(merchant.rules()).toEqual([]);
    }));

  test.each(["captured", "printed"] as const)(
    "the upload returns its input, a faceId and a meaningless success field (%s)",
    (answers) =>
      withSandbox({ answers }, async (_sandbox, merchant) => {
        const answer = await merchant.upload((await merchant.refresh()).ticket, { orderNo: "mine1" });
        const success = answers === "captured";
        expect(answer).toMatchObject({ code: "0", result: { orderNo: "mine1", success } });
        expect(answer.result?.["faceId"]).toMatch(/^[0-9A-Za-z]{32}$/);
        expect(answer.transactionTime).toMatch(/^\d{14}$/);
      }),
  );

  test("a repeated order number or nonce is a breach", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      const nonce = merchant.nonce();
      await merchant.upload(ticket, { orderNo: "same", nonce });
      expect(await merchant.upload(ticket, { orderNo: "same" })).toMatchObject({ code: "400101" });
      expect(await merchant.upload(ticket, { nonce })).toMatchObject({ code: "400101" });
      expect(merchant.rules()).toEqual(["order_no_reused", "nonce_reused"]);
    }));

  test.each<[RuleName, string, string]>([
    ["order_no_not_in_query", "", "application/json"],
    ["order_no_differs", "?orderNo=another", "application/json"],
    ["content_type_wrong", "?orderNo=o1", "text/plain"],
    ["content_type_wrong", "?orderNo=o1", "application/json; charset=gbk"],
    ["unknown_parameter", "?orderNo=o1&order_no=o1", "application/json; charset=UTF-8"],
  ])("the upload records a breach of %s (query %s, content type %s)", (rule, search, contentType) =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      const body = merchant.uploadBody(ticket, { orderNo: "o1" });
      const answer = await merchant.post(`/api/server/getAdvFaceId${search}`, body, contentType);
      expect(answer.code).toBe(rule === "unknown_parameter" ? "0" : "400101");
      expect(merchant.rules()).toEqual([rule]);
    }),
  );

  test("an upload that is not JSON or too large is refused", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      expect(await merchant.post("/api/server/getAdvFaceId", "[]")).toMatchObject({ code: "400101" });
      const large = JSON.stringify({ sourcePhotoStr: "A".repeat(2_000_000) });
      expect(await merchant.post("/api/server/getAdvFaceId", large)).toMatchObject({ code: "400601" });
      expect(merchant.rules()).toEqual(["body_not_json", "body_too_large"]);
    }));

  test("each edition has its own path and app id field", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      for (const [path, field] of [
        ["getfaceid", "webankAppId"],
        ["getAdvFaceId", "appId"],
        ["getPlusFaceId", "appId"],
      ] as const) {
        const body = merchant.uploadBody(ticket, { orderNo: path }, field);
        expect(await merchant.post(`/api/server/${path}?orderNo=${path}`, body)).toMatchObject({ code: "0" });
      }
      expect(merchant.rules()).toEqual([]);
    }));

  test("an edition that is not contracted is answered with 66660030", () =>
    withSandbox({ editions: ["basic"] }, async (_sandbox, merchant) => {
      expect(await merchant.upload((await merchant.refresh()).ticket)).toMatchObject({ code: "66660030" });
      expect(merchant.rules()).toEqual(["edition_not_entitled"]);
    }));

  test("an upload signed with a NONCE ticket breaks ticket_kind_wrong", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { token } = await merchant.refresh();
      const issued = await merchant.fetchTicket(token, { type: "NONCE", user_id: "user1" });
      expect(await merchant.upload(issued.tickets?.[0]?.value ?? "")).toMatchObject({ code: "400101" });
      expect(merchant.rules()).toEqual(["ticket_kind_wrong"]);
    }));
});

describe("the vendor's query", () => {
  test.each<[RuleName, string, Changes]>([
    ["app_id_unknown", "66660001", { appId: "TIDA9999" }],
    ["version_wrong", "400502", { version: "2" }],
    ["nonce_format", "400101", { nonce: "short" }],
    ["sign_format", "400101", { sign: "" }],
    ["signature_wrong", "400101", { sign: "0".repeat(40) }],
    ["get_file_format", "400101", { getFile: "12" }],
    ["query_version_format", "400101", { queryVersion: "1.0.0.0.0" }],
    ["unknown_parameter", "66660011", { get_file: "1" }],
  ])("the query answers a breach of %s with %s", (rule, code, changes) =>
    withSandbox({}, async (_sandbox, merchant) => {
      const { ticket } = await merchant.refresh();
      expect(await merchant.query(ticket, "order1", changes)).toMatchObject({ code });
      expect(merchant.rules()).toEqual([rule]);
    }),
  );
});

describe("the login of the SDK", () => {
  test("a launch consumes its NONCE ticket", () =>
    withSandbox({}, async (_sandbox, merchant) => {
      const launch = await merchant.launch(await merchant.refresh());
      expect(await merchant.play({ ...launch, outcome: "abandoned" })).toMatchObject({ code: "0" });
      expect(await merchant.play(launch)).toMatchObject({ code: "400101" });
      expect(merchant.rules()).toEqual(["nonce_ticket_used"]);
    }));

  test.each<[RuleName, string, Changes]>([
    ["app_id_unknown", "66660001", { app_id: "TIDA9999" }],
    ["sign_format", "400101", { sign: "abc" }],
    ["signature_wrong", "400101", { sign: "0".repeat(40) }],
    ["face_id_unknown", "66660018", { face_id: "f".repeat(32) }],
    ["face_id_of_other_order", "66660018", { order_no: "another" }],
    ["order_no_format", "400101", { order_no: "an-other" }],
  ])("the SDK's login answers a breach of %s with %s", (rule, code, changes) =>
    withSandbox({}, async (_sandbox, merchant) => {
      const launch = await merchant.launch(await merchant.refresh());
      const answer = await merchant.play({ ...launch, ...changes });
      expect(answer).toMatchObject({ code, result: { isSuccess: false } });
      expect(merchant.rules()).toContain(rule);
    }),
  );

  test("the SDK's login distinguishes another user's ticket, the wrong kind of ticket, another user and a used faceId", () =>
    withSandbox({}, async (sandbox, merchant) => {
      const pair = await merchant.refresh();
      const nonceTicket = async (user: string) =>
        (await merchant.fetchTicket(pair.token, { type: "NONCE", user_id: user })).tickets?.[0]?.value ?? "";
      const launch = await merchant.launch(pair);
      const signed = (user: string, ticket: string) => {
        const nonce = merchant.nonce();
        const sign = expectedSign([sandbox.appId, user, "1.0.0", nonce], ticket);
        return merchant.play({ ...launch, user_id: user, nonce, sign });
      };
      const others = await nonceTicket("user2");
      await signed("user1", others);
      await signed("user1", pair.ticket);
      await signed("user2", others);
      await merchant.play(launch);
      sandbox.advance(2000);
      await signed("user1", await nonceTicket("user1"));
      expect(merchant.rules()).toEqual([
        "nonce_ticket_of_other_user",
        "launch_signed_with_sign_ticket",
        "user_id_differs",
        "face_id_used",
      ]);
    }));

  test("a new signature with an earlier launch's nonce breaks nonce_reused", () =>
    withSandbox({}, async (sandbox, merchant) => {
      const pair = await merchant.refresh();
      const first = await merchant.launch(pair);
      await merchant.play(first);
      const second = await merchant.launch(pair, { userId: "user2" });
      const issued = await merchant.fetchTicket(pair.token, { type: "NONCE", user_id: "user3" });
      const sign = expectedSign(
        [sandbox.appId, "user3", "1.0.0", first.nonce],
        issued.tickets?.[0]?.value ?? "",
      );
      await merchant.play({ ...second, user_id: "user3", nonce: first.nonce, sign });
      expect(merchant.rules()).toEqual(["nonce_reused", "user_id_differs"]);
    }));
});

test("two concurrent token calls or SIGN ticket calls are breaches", () =>
  withSandbox({ latencyMs: 30 }, async (sandbox, merchant) => {
    const both = [merchant.fetchToken(), merchant.fetchToken()] as const;
    await until(() => sandbox.stats.tokenCallsInFlight === 2);
    sandbox.advance(30);
    const [{ access_token: token = "" }] = await Promise.all(both);
    const tickets = [merchant.fetchTicket(token), merchant.fetchTicket(token)];
    await until(() => sandbox.stats.calls.sign_ticket === 2);
    sandbox.advance(30);
    await Promise.all(tickets);
    expect(merchant.rules()).toEqual(["overlapping_refresh", "overlapping_sign_ticket"]);
    expect(sandbox.stats).toMatchObject({
      overlappingRefreshes: 1,
      maxTokenCallsInFlight: 2,
      tokenCallsInFlight: 0,
      shortestTokenIntervalMs: 0,
    });
  }));

test("sequential token calls do not count as overlapping", () =>
  withSandbox({}, async (sandbox, merchant) => {
    for (let i = 0; i < 50; i++) await merchant.fetchToken();
    expect(sandbox.stats).toMatchObject({ overlappingRefreshes: 0, maxTokenCallsInFlight: 1 });
  }));

test("a lenient sandbox records the breaches it admits, and admits no wrong credential", () =>
  withSandbox({ strict: false }, async (_sandbox, merchant) => {
    const { ticket } = await merchant.refresh();
    expect(await merchant.upload(ticket, { nonce: "short", version: "2" })).toMatchObject({ code: "0" });
    expect(await merchant.upload(ticket, { sign: "" })).toMatchObject({ code: "400101" });
    expect(await merchant.fetchToken({ secret: "" })).toMatchObject({ code: "400104" });
    expect(merchant.rules()).toEqual(["version_wrong", "nonce_format", "sign_format", "secret_wrong"]);
  }));

describe("common mistakes of real clients", () => {
  const photo = { sourcePhotoStr: "", sourcePhotoType: "1" };
  test.each<[RuleName, "basic" | "enhanced", Changes]>([
    ["app_id_field_wrong", "basic", { webankAppId: undefined, appId: "TIDA0001" }],
    ["app_id_field_wrong", "enhanced", { appId: undefined, webankAppId: "TIDA0001" }],
    ["photo_type_without_photo", "enhanced", photo],
    ["field_not_text", "enhanced", { ...photo, sourcePhotoType: 1 }],
  ])("only a lenient sandbox admits %s at the %s upload", async (rule, edition, changes) => {
    for (const strict of [true, false]) {
      await withSandbox({ strict }, async (_sandbox, merchant) => {
        const { ticket } = await merchant.refresh();
        const [path, field] = edition === "basic" ? ["getfaceid", "webankAppId"] : ["getAdvFaceId", "appId"];
        const body = merchant.uploadBody(ticket, changes, field);
        const answer = await merchant.post(`/api/server/${path}?orderNo=${String(body["orderNo"])}`, body);
        expect(answer.code === "0").toBe(!strict);
        expect(merchant.rules()).toContain(rule);
      });
    }
  });

  test("only a lenient sandbox admits four common breaches", async () => {
    for (const strict of [true, false]) {
      await withSandbox({ strict }, async (sandbox, merchant) => {
        const pair = await merchant.refresh();
        const passes = async (rule: RuleName, answer: Promise<{ code?: string }>) => {
          const { code } = await answer;
          expect([rule, code === "0"]).toEqual([rule, !strict]);
          expect(merchant.rules()).toContain(rule);
        };
        const path = "/api/server/getAdvFaceId";
        await passes("order_no_not_in_query", merchant.post(path, merchant.uploadBody(pair.ticket)));
        const nonce = merchant.nonce();
        await merchant.upload(pair.ticket, { nonce });
        await passes("nonce_reused", merchant.upload(pair.ticket, { nonce }));

        const launch = await merchant.launch(pair);
        const launchNonce = merchant.nonce();
        const sign = expectedSign([sandbox.appId, launch.user_id, "1.0.0", launchNonce], pair.ticket);
        const signed = merchant.play({ ...launch, nonce: launchNonce, sign });
        await passes("launch_signed_with_sign_ticket", signed);
        const query = merchant.query(pair.ticket, launch.order_no, { getFile: 2 });
        await passes("field_not_text", query);
        // The field is not only admitted but read.
        if (!strict) expect((await query).result).toHaveProperty("photo");
      });
    }
  });
});

test("a breach records time, endpoint and caller, but no value", () =>
  withSandbox({}, async (sandbox, merchant) => {
    const { token, ticket } = await merchant.refresh();
    const headers = { "x-sandbox-caller": "replica 2" };
    await merchant.request(`/api/oauth2/api_ticket?access_token=${token}&${sandbox.secret}=1`, { headers });
    await merchant.upload(ticket, { nonce: "short", [PERSON.idNo]: "x", [PERSON.name]: "x", userId: "" });
    await merchant.upload(`${ticket}x`, { idNo: "110105194912310021" });
    expect(sandbox.breaches[0]).toMatchObject({ endpoint: "sign_ticket", caller: "replica 2" });
    expect(sandbox.breaches[0]?.at).toBeLessThanOrEqual(sandbox.now());
    const text = JSON.stringify(sandbox.breaches);
    expect(sandbox.issuedValues()).toEqual([token, ticket]);
    for (const value of [token, ticket, sandbox.secret, PERSON.name, "110105"])
      expect(text).not.toContain(value);
  }));

test("a faulty client cannot exhaust memory with breaches", () => {
  const clock = createTurnableClock(frozenClock());
  const breaches = createBreachLog(clock, true);
  for (let i = 0; i < 10_100; i++) {
    breaches.add("secret_wrong", { endpoint: "access_token", caller: "someone", id: i });
  }
  expect(breaches.list).toHaveLength(10_000);
  breaches.clear();
  expect(breaches.list).toEqual([]);
});
