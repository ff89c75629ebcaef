import { expect, test } from "vitest";
import { Secret } from "../../src/lib/redacted.ts";
import { createNonce, createSigner, sign } from "../../src/upstream/signer.ts";

// Published vectors of the vendor, as recomputed in protocol.md 5.2.
const nonce = "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T";
const userId = "userID19959248596551";
const ticketA = new Secret("XO99Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS");
const ticketC = new Secret("FxlAe3HFtEy73Um0pJNzIUriwtfnS3KRcPXiesd5ulS4XRAIcT0FbfaP52dwZf5S");
const ticketD = new Secret("duSz9ptwyW1Xn7r6gYItxz3feMdJ8Na5x7JZuoxurE7RcI5TdwCE4KT2eEeNNDoe");
const ticketF = new Secret("zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS");
const app = createSigner({ appId: "appId001" });
const ida = createSigner({ appId: "IDAXXXXX" });

test.each([
  ["A upload", ida.upload({ userId, nonce }, ticketA), "D7606F1741DDCF90757DA924EDCF152A200AC7F0"],
  ["A launch", ida.launch({ userId, nonce }, ticketA), "D7606F1741DDCF90757DA924EDCF152A200AC7F0"],
  [
    "B upload",
    createSigner({ appId: "TIDA0001" }).upload({ userId, nonce }, ticketA),
    "4AE72E6FBC2E9E1282922B013D1B4C2CBD38C4BD",
  ],
  [
    "C query",
    app.query({ orderNo: "aabc1457895464", nonce }, ticketC),
    "993D057C652D97FD90D5D298F2E5DC4B8D893CBC",
  ],
  [
    "D callback",
    app.callback({ orderNo: "test1480921551481", code: "0" }, ticketD),
    "526365E042766AE27A6E52D2E4829D4C6E156B5D",
  ],
  [
    "E OCR callback",
    app.ocrCallback({ orderNo: "test1480921551481" }, ticketD),
    "B02CEBEB07F792B2F085E8CB1E7BA9EC19284F54",
  ],
  [
    "F web launch",
    app.webLaunch({ userId, orderNo: "aabc1457895464", faceId: "bwiwe1457895464", nonce }, ticketF),
    "4E9DFABF938BF37BDB7A7DC25CCA1233D12D986B",
  ],
  [
    "G web upload",
    app.webUpload(
      { orderNo: "orderNo19959248596551", name: "testName", idNo: "4300000000000", userId },
      ticketD,
    ),
    "EE57F7C1EDDE7B6BB0DFB54CD902836B8EB0575B",
  ],
  [
    "K web upload with two equal values",
    app.webUpload(
      { orderNo: "19959248596551", name: "testName", idNo: "4300000000000", userId: "19959248596551" },
      ticketD,
    ),
    "11670F8BD6181CF71FB4656534253A0627D835CF",
  ],
  [
    "L query",
    ida.query({ orderNo: "orderNo596551", nonce }, ticketA),
    "6CD5F0DBCFA1155E2A66754B33C2E67DD358393B",
  ],
])("vector %s has the documented signature", (_name, actual, expected) => {
  expect(actual).toBe(expected);
});

// Fixtures of our own (protocol.md 5.2), computed apart from this code: no published upload has a name in Chinese.
test.each([
  [
    "web upload with a Chinese name",
    app.webUpload(
      { orderNo: "orderNo19959248596551", name: "张三", idNo: "11010519491231002X", userId },
      ticketD,
    ),
    "18E46892A6D4D8713165791E5A3A36DF81261458",
  ],
  [
    "callback with a verdict",
    app.callback({ orderNo: "test1480921551481", code: "66660004" }, ticketD),
    "867A8793910FE12D8CE2F0763440A0AC7C3C86EB",
  ],
  [
    "callback with a code of the page",
    app.callback({ orderNo: "test1480921551481", code: "3003" }, ticketD),
    "C6DB872B8B1C7F3BAAE3FBB6951F5102690CEE26",
  ],
])("the fixture %s has its signature", (_name, actual, expected) => {
  expect(actual).toBe(expected);
});

test("vector H, whose page mixes two tickets, does not verify", () => {
  expect(app.query({ orderNo: "aabc1457895464", nonce }, ticketC)).not.toBe(
    "7E0DE0E46500D0327F12ED4274CFA188B80D7AF9",
  );
});

test("signed values sort by UTF-16 code unit, not by locale or code point", () => {
  const ticket = new Secret("ticket");
  // U+FF5E sorts before the surrogates of U+1F600 by code point, and after them by code unit.
  const byCodeUnit = sign(["\u{1F600}", "\uFF5E", "b", "B", "-"], ticket);
  expect(byCodeUnit).toBe(sign(["-", "B", "b", "\uFF5E", "\u{1F600}"], ticket));
  expect(["\u{1F600}", "\uFF5E"].sort()).toEqual(["\u{1F600}", "\uFF5E"]);
});

test("a nonce is 32 letters and digits and never repeats", () => {
  const nonces = new Set(Array.from({ length: 1000 }, createNonce));
  expect(nonces.size).toBe(1000);
  for (const one of nonces) expect(one).toMatch(/^[0-9A-Za-z]{32}$/);
});
