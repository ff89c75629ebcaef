import { describe, expect, test } from "vitest";
import { configOf, problemsOf } from "./problems.ts";

const JWT = { JWT_ISSUER: "https://login.example", JWT_AUDIENCE: "face" };
const VENDOR = "FACEID_BASE_URL: must be https beyond this machine; or set ALLOW_INSECURE=FACEID_BASE_URL";
const KEYS = "JWT_JWKS_URL: must be https beyond this machine; or set ALLOW_INSECURE=JWT_JWKS_URL";

describe("ALLOW_INSECURE", () => {
  test.each<[Record<string, string>, string[]]>([
    [{ FACEID_BASE_URL: "http://kyc1.qcloud.com" }, [VENDOR]],
    [{ FACEID_BASE_URL: "http://127.0.0.1.evil.example" }, [VENDOR]],
    [{ ...JWT, JWT_JWKS_URL: "http://login.example/keys" }, [KEYS]],
    [
      { ...JWT, JWT_JWKS_URL: "http://10.0.0.7/keys", FACEID_BASE_URL: "HTTP://sandbox:9000" },
      [VENDOR, KEYS],
    ],
    [{ FACEID_BASE_URL: "http://sandbox:9000", ALLOW_INSECURE: "ADMIN_ADDR" }, [VENDOR]],
    [{ FACEID_BASE_URL: "http://sandbox:9000", ALLOW_INSECURE: "ADMIN_ADDR,FACEID_BASE_URL" }, []],
    [{ FACEID_BASE_URL: "http://sandbox:9000", ALLOW_INSECURE: "1" }, []],
    [{ FACEID_BASE_URL: "http://localhost:9000" }, []],
    [{ FACEID_BASE_URL: "http://[::1]:9000" }, []],
    [{ ...JWT, JWT_JWKS_URL: "http://127.0.0.1:8000/keys" }, []],
  ])("the insecure settings %j have the problems %j", (env, problems) => {
    expect(problemsOf(env)).toEqual(problems);
  });
});

describe("ADMIN_HOSTS", () => {
  test("the admin listener accepts only this machine's names on loopback, any name beyond, and configured names on both", () => {
    const beyond = { ADMIN_ADDR: "0.0.0.0:9090", ALLOW_INSECURE: "ADMIN_ADDR" };
    expect(configOf({}).adminHosts).toEqual([]);
    expect(configOf(beyond).adminHosts).toBe("any");
    expect(configOf({ ADMIN_HOSTS: "Admin.Internal, ops" }).adminHosts).toEqual(["admin.internal", "ops"]);
    expect(configOf({ ...beyond, ADMIN_HOSTS: "ops" }).adminHosts).toEqual(["ops"]);
  });

  test("a port in ADMIN_HOSTS is a problem", () => {
    expect(problemsOf({ ADMIN_HOSTS: "ops:9090" })).toEqual([
      'ADMIN_HOSTS: must be host names without port, not "ops:9090"',
    ]);
  });
});
