import { LITERALS } from "./literals.js";
import { java, kotlin } from "./snippets-jvm.js";

/** The languages, in the order of their buttons. */
export const SNIPPETS = {
  curl,
  TypeScript: typescript,
  Go: go,
  Java: java,
  Python: python,
  Kotlin: kotlin,
  Swift: swift,
};

/**
 * A recorded request for `SNIPPETS`: the fields of a form one by one, any other body as it was. `origin`: where the sandbox is.
 */
export function describeRequest({ method, url, contentType, body }, origin) {
  const isForm = contentType.startsWith("application/x-www-form-urlencoded");
  return {
    method,
    url: origin + url,
    contentType,
    form: isForm ? [...new URLSearchParams(body)] : undefined,
    body: isForm || body === "" ? undefined : body,
  };
}

const quote = LITERALS.json;
const lines = (...parts) =>
  `${parts
    .flat()
    .filter((part) => part !== undefined)
    .join("\n")}\n`;

function curl({ method, url, contentType, form, body }) {
  const quoted = LITERALS.shell;
  const options = [
    method !== "GET" && !form && body === undefined && `-X ${method}`,
    ...(form ?? []).map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`),
    body !== undefined && contentType && `-H ${quoted(`Content-Type: ${contentType}`)}`,
    body !== undefined && `--data-raw ${quoted(body)}`,
  ];
  return lines([`curl -sS ${quoted(url)}`, ...options.filter(Boolean)].join(" \\\n  "));
}

function typescript({ method, url, contentType, form, body }) {
  const fields = (form ?? []).map(([name, value]) => `    [${quote(name)}, ${quote(value)}],`);
  return lines(
    `const response = await fetch(${quote(url)}, {`,
    `  method: ${quote(method)},`,
    form ? ["  body: new URLSearchParams([", ...fields, "  ]),"] : undefined,
    body === undefined
      ? undefined
      : [`  headers: { "content-type": ${quote(contentType)} },`, `  body: ${quote(body)},`],
    "});",
    "console.log(response.status, await response.text());",
  );
}

function go({ method, url, contentType, form, body }) {
  const fields = (form ?? []).map(([name, value]) => `\tform.Add(${quote(name)}, ${quote(value)})`);
  const hasBody = form || body !== undefined;
  const reader = form
    ? "strings.NewReader(form.Encode())"
    : hasBody
      ? `strings.NewReader(${quote(body)})`
      : "nil";
  return lines(
    "package main",
    "",
    "import (",
    '\t"fmt"',
    '\t"io"',
    '\t"net/http"',
    form ? '\t"net/url"' : undefined,
    hasBody ? '\t"strings"' : undefined,
    ")",
    "",
    "func main() {",
    form ? ["\tform := url.Values{}", ...fields] : undefined,
    `\trequest, err := http.NewRequest(${quote(method)}, ${quote(url)}, ${reader})`,
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    hasBody ? `\trequest.Header.Set("Content-Type", ${quote(contentType)})` : undefined,
    "\tresponse, err := http.DefaultClient.Do(request)",
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    "\tdefer response.Body.Close()",
    "\ttext, err := io.ReadAll(response.Body)",
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    "\tfmt.Println(response.StatusCode, string(text))",
    "}",
  );
}

function python({ method, url, contentType, form, body }) {
  const fields = (form ?? []).map(([name, value]) => `    (${quote(name)}, ${quote(value)}),`);
  const hasBody = form || body !== undefined;
  return lines(
    form ? "import urllib.parse" : undefined,
    "import urllib.request",
    "from urllib.error import HTTPError",
    "",
    form ? ["data = urllib.parse.urlencode([", ...fields, "]).encode()"] : undefined,
    body !== undefined ? `data = ${quote(body)}.encode()` : undefined,
    "request = urllib.request.Request(",
    `    ${quote(url)},`,
    `    method=${quote(method)},`,
    hasBody ? ["    data=data,", `    headers={"Content-Type": ${quote(contentType)}},`] : undefined,
    ")",
    "try:",
    "    response = urllib.request.urlopen(request)",
    "except HTTPError as error:  # an answer, too",
    "    response = error",
    "print(response.status, response.read().decode())",
  );
}

function swift({ method, url, contentType, form, body }) {
  const quoted = LITERALS.swift;
  const fields = (form ?? []).map(
    ([name, value]) => `    URLQueryItem(name: ${quoted(name)}, value: ${quoted(value)}),`,
  );
  const plus = `.replacingOccurrences(of: "+", with: "%2B")`;
  return lines(
    "import Foundation",
    "",
    `var request = URLRequest(url: URL(string: ${quoted(url)})!)`,
    `request.httpMethod = ${quoted(method)}`,
    form || body !== undefined
      ? `request.setValue(${quoted(contentType)}, forHTTPHeaderField: "Content-Type")`
      : undefined,
    form
      ? [
          "var form = URLComponents()",
          "form.queryItems = [",
          ...fields,
          "]",
          `request.httpBody = form.percentEncodedQuery?${plus}.data(using: .utf8)`,
        ]
      : undefined,
    body !== undefined ? `request.httpBody = ${quoted(body)}.data(using: .utf8)` : undefined,
    "let (data, response) = try await URLSession.shared.data(for: request)",
    "print((response as! HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))",
  );
}
