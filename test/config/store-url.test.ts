import { expect, test } from "vitest";
import { isSamePlace, parseStoreUrl, registerName, type StoreLocation } from "../../src/config/store-url.ts";

test("a register's name includes the path of the base URL without a trailing slash", () => {
  expect(registerName("IDA1", "https://kyc1.qcloud.com")).toBe("IDA1@kyc1.qcloud.com");
  expect(registerName("IDA1", "https://kyc1.qcloud.com/")).toBe("IDA1@kyc1.qcloud.com");
  expect(registerName("IDA1", "https://gw:8443/prod")).toBe("IDA1@gw:8443/prod");
  expect(registerName("IDA1", "https://gw:8443/test/")).toBe("IDA1@gw:8443/test");
});

test.each([
  "redis://topsecret@host",
  "redis://topsecret:@host",
  "redis+cluster://user@host",
  "rediss://a%40b@host/3",
])("the store URL %s is refused, since a password in it would be lost", (url) => {
  expect(parseStoreUrl(url)).toBe("before @ comes USER:PASSWORD, or :PASSWORD for a password alone");
});

test("a password without a user follows a colon", () => {
  const location = parseStoreUrl("redis://:top%3Asecret@host");
  if (typeof location === "string" || location.kind !== "redis") throw new Error("no Redis");
  expect([location.login?.username, location.login?.password.reveal()]).toEqual([undefined, "top:secret"]);
});

test.each([
  ["redis://a:old@host", "redis://b:new@host", true],
  ["redis://host", "redis://host:6379/0", true],
  ["redis://host", "redis://host/1", false],
  ["redis://host", "rediss://host", false],
  ["redis+sentinel://h/m?sentinel_password=a", "redis+sentinel://h/m?sentinel_password=b", true],
  ["file:a", "file:b", false],
  ["postgres://a:old@host/db", "postgresql://b:new@host:5432/db", true],
  ["postgres://a@host/db", "postgres://a@host/other", false],
])("whether %s and %s are the same store is %s", (one, other, same) => {
  expect(isSamePlace(parseStoreUrl(one) as StoreLocation, parseStoreUrl(other) as StoreLocation)).toBe(same);
});
