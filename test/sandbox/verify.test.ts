import { expect, test } from "vitest";
import { expectedSign, isSignedBy, sameText } from "../../src/sandbox/vendor/verify.ts";

const NONCE = "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T";
const TICKET_A = "XO99Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS";
const TICKET_C = "FxlAe3HFtEy73Um0pJNzIUriwtfnS3KRcPXiesd5ulS4XRAIcT0FbfaP52dwZf5S";
const TICKET_D = "duSz9ptwyW1Xn7r6gYItxz3feMdJ8Na5x7JZuoxurE7RcI5TdwCE4KT2eEeNNDoe";

const VECTORS: [id: string, values: string[], ticket: string, sign: string][] = [
  [
    "A",
    ["IDAXXXXX", "userID19959248596551", "1.0.0", NONCE],
    TICKET_A,
    "D7606F1741DDCF90757DA924EDCF152A200AC7F0",
  ],
  [
    "B",
    ["TIDA0001", "userID19959248596551", "1.0.0", NONCE],
    TICKET_A,
    "4AE72E6FBC2E9E1282922B013D1B4C2CBD38C4BD",
  ],
  ["C", ["appId001", NONCE, "1.0.0", "aabc1457895464"], TICKET_C, "993D057C652D97FD90D5D298F2E5DC4B8D893CBC"],
  ["D", ["appId001", "test1480921551481", "0"], TICKET_D, "526365E042766AE27A6E52D2E4829D4C6E156B5D"],
  [
    "K, with two equal values",
    ["appId001", "19959248596551", "19959248596551", "testName", "4300000000000", "1.0.0"],
    TICKET_D,
    "11670F8BD6181CF71FB4656534253A0627D835CF",
  ],
];

test.each(VECTORS)("the vendor's vector %s is reproduced", (_id, values, ticket, sign) => {
  expect(expectedSign(values, ticket).toUpperCase()).toBe(sign);
  expect(isSignedBy(sign, values, ticket)).toBe(true);
  expect(isSignedBy(sign.toLowerCase(), values, ticket)).toBe(true);
  expect(isSignedBy(sign, values, `${ticket}x`)).toBe(false);
});

test("a signature depends on the number of its values, not on their order", () => {
  expect(expectedSign(["b", "a"], "t")).toBe(expectedSign(["a", "b"], "t"));
  expect(expectedSign(["a", "a"], "t")).not.toBe(expectedSign(["a"], "t"));
});

test("texts of different lengths are compared without an error", () => {
  expect(sameText("", "secret")).toBe(false);
  expect(sameText("secret", "secret")).toBe(true);
});
