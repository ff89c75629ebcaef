import { expect, test } from "vitest";
import { isLive, isTestApp, parseHosts } from "../../src/domain/livemode.ts";

test.each([
  "https://kyc1.qcloud.com",
  "https://kyc.qcloud.com/",
  "https://KYC1.QCLOUD.COM./path",
  "https://miniprogram-kyc.tencentcloudapi.com",
  "https://idasc.webank.com:443",
])("%s is a host of the vendor", (url) => expect(isLive(url, [])).toBe(true));

test.each([
  "http://127.0.0.1:8090",
  "http://localhost:8090",
  "http://sandbox.internal",
  "https://qcloud.com.example",
  "https://kyc1-qcloud.com",
  "https://example.com/kyc1.qcloud.com",
  "https://kyc1.qcloud.com@example.com",
  "http://kyc1.qcloud.com.127.0.0.1.nip.io",
  "",
])("%j is not a host of the vendor", (url) => expect(isLive(url, [])).toBe(false));

test("a gateway to the vendor is live if the operator lists it, and no other host becomes live with it", () => {
  expect(isLive("https://egress.internal/kyc", ["egress.internal"])).toBe(true);
  expect(isLive("https://other.internal/kyc", ["egress.internal"])).toBe(false);
  expect(parseHosts(" Egress.internal , gw.example ")).toEqual(["egress.internal", "gw.example"]);
  for (const text of ["https://gw", "gw:443", "gw/path", "gw,,x", "a b"])
    expect(parseHosts(text)).toBeUndefined();
});

test("test app ids are recognised by their prefix", () => {
  expect([isTestApp("TIDA0001"), isTestApp("IDA00001")]).toEqual([true, false]);
});
