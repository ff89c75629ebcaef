import { expect, test } from "vitest";
import { isForeign } from "../../src/lib/http.ts";

test.each([
  [{ host: "127.0.0.1:9090" }, false],
  [{ host: "[::1]:9090" }, false],
  [{ host: "localhost:9090" }, false],
  [{ host: "LOCALHOST" }, false],
  [{ host: "faceid.localhost:9090" }, false],
  [{ host: "10.2.3.4:9090" }, false],
  [{ host: "admin.internal:9090" }, false],
  [{ ":authority": "localhost:9090" }, false],
  [{}, false],
  [{ host: "localhost:9090", origin: "http://localhost:9090" }, false],
  [{ host: "evil.example:9090" }, true],
  [{ host: "localhost.evil.example" }, true],
  [{ host: "evillocalhost" }, true],
  [{ host: "127.0.0.1.evil.example" }, true],
  [{ host: "localhost:9090", origin: "http://evil.example" }, true],
  [{ host: "localhost:9090", origin: "http://localhost:1234" }, true],
  [{ host: "localhost:9090", origin: "null" }, true],
  [{ origin: "http://evil.example" }, true],
  [{ host: "a b" }, true],
])("a request with headers %j is from a page of another site: %s", (headers, foreign) => {
  expect(isForeign(headers, ["admin.internal"])).toBe(foreign);
});

test("where any host name is accepted, the origin must still match", () => {
  expect(isForeign({ host: "admin.example:9090" }, "any")).toBe(false);
  expect(isForeign({ host: "admin.example:9090", origin: "http://evil.example" }, "any")).toBe(true);
});
