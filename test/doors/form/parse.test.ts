import { expect, test } from "vitest";
import { parseForm } from "../../../src/doors/form/parse.ts";

const parse = (text: string) => Object.fromEntries(parseForm(Buffer.from(text, "latin1")));
const rule = (text: string) => {
  try {
    parse(text);
    return "accepted";
  } catch (error) {
    const [violation] = (error as { violations: { field: string; rule: string }[] }).violations;
    return `${violation?.field} ${violation?.rule}`;
  }
};

test("well-formed bodies are parsed into their fields", () => {
  expect(parse("")).toEqual({});
  expect(parse("name=%E5%BC%A0%E4%B8%89&id_no=11010519491231002X")).toEqual({
    name: "张三",
    id_no: "11010519491231002X",
  });
  expect(parse("a=1+2%2B3&b&c=&&d=x=y")).toEqual({ a: "1 2+3", b: "", c: "", d: "x=y" });
});

test("raw UTF-8, as some phones send it, is accepted", () => {
  expect(Object.fromEntries(parseForm(Buffer.from("name=张三")))).toEqual({ name: "张三" });
});

test.each([
  ["name=%zz", "name form.escape"],
  ["name=%E5%BC", "name form.utf8"],
  ["name=%C0%AF", "name form.utf8"],
  ["name=a%", "name form.escape"],
  ["name=\xff\xfe", "body form.utf8"],
  ["order_no=a&order_no=a", "order_no form.duplicate"],
  ["%zz=1", "a field's name form.escape"],
  ["<script>=%zz", "a field form.escape"],
])("the body %s is refused as %s", (body, expected) => {
  expect(rule(body)).toBe(expected);
});
