import { expect, test } from "vitest";
import { ipAddress, networkOf } from "../../src/lib/peer.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["203.0.113.7:51234", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["::FFFF:cb00:7107", "203.0.113.7"],
  ["64:ff9b::203.0.113.7", "203.0.113.7"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
])("the canonical form of %s is %s", (text, address) => {
  expect(ipAddress(text)).toBe(address);
});

test.each([
  "",
  "unknown",
  "_hidden",
  "203.0.113",
  "203.0.113.07",
  "0x7f.1",
  "localhost",
  "1.2.3.4, 5.6.7.8",
  "张三",
])("%j is not an IP address", (text) => {
  expect(ipAddress(text)).toBeUndefined();
});

test("limits count an IPv6 caller by its /64 and an IPv4 caller by its address", () => {
  expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe(networkOf("2001:db8:1:2:ffff::1"));
  expect(networkOf("2001:db8:1:2::1")).not.toBe(networkOf("2001:db8:1:3::1"));
  expect(networkOf("203.0.113.7")).toBe("203.0.113.7");
});
