import { expect, test } from "vitest";
import { withSandbox } from "./merchant.ts";

test("captured answers have the format of the vendor's host (captures of 2024 and later)", () =>
  withSandbox({}, async (_sandbox, merchant) => {
    const serial = expect.stringMatching(/^\d{32}$/) as string;
    const token = await merchant.fetchToken();
    expect(token).toMatchObject({ expire_in: 7200, success: true, bizSeqNo: serial });
    const ticket = await merchant.fetchTicket(token.access_token ?? "");
    expect(ticket).toMatchObject({ success: true, bizSeqNo: serial, tickets: [{ expire_in: 3600 }] });
    const uploaded = await merchant.upload(ticket.tickets?.[0]?.value ?? "");
    expect(uploaded).toMatchObject({
      bizSeqNo: serial,
      result: {
        bizSeqNo: serial,
        faceId: expect.stringMatching(/^tx[0-9a-f]{30}$/) as string,
        oriCode: "0",
        optimalDomain: expect.any(String) as string,
        success: true,
      },
    });
    const tokens = await Promise.all(Array.from({ length: 30 }, () => merchant.fetchToken()));
    expect(tokens.some(({ access_token: value }) => value?.includes("-"))).toBe(true);
    expect(new Set(tokens.map(({ access_token: value }) => value?.length))).toEqual(new Set([64]));
  }));

test("printed answers have the format of the vendor's older pages", () =>
  withSandbox({ answers: "printed" }, async (_sandbox, merchant) => {
    const token = await merchant.fetchToken();
    expect(token.expire_in).toBe(7200);
    const ticket = await merchant.fetchTicket(token.access_token ?? "");
    expect(ticket.tickets).toMatchObject([{ expire_in: "3600" }]);
    for (const answer of [token, ticket]) {
      expect(answer).not.toHaveProperty("success");
      expect(answer).not.toHaveProperty("bizSeqNo");
    }
    const { result } = await merchant.upload(ticket.tickets?.[0]?.value ?? "");
    expect(result).toMatchObject({ success: false });
    expect(result).not.toHaveProperty("optimalDomain");
  }));

test("a dead token is refused with the configured code, and a token never issued with its own code", () =>
  withSandbox({}, async (sandbox, merchant) => {
    for (const code of ["15", "400101", undefined]) {
      const { token } = await merchant.refresh();
      sandbox.revoke(code);
      expect(await merchant.fetchTicket(token)).toMatchObject({ code: code ?? "400103" });
      const nonce = { type: "NONCE", user_id: "user1" };
      expect(await merchant.fetchTicket(token, nonce)).toMatchObject({ code: code ?? "400103" });
      expect(await merchant.fetchTicket("x".repeat(64))).toMatchObject({ code: "400103" });
    }
    expect(() => sandbox.revoke("dead")).toThrow(RangeError);
  }));
