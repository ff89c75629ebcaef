import { LITERALS } from "./literals.js";

const lines = (...parts) =>
  `${parts
    .flat()
    .filter((part) => part !== undefined)
    .join("\n")}\n`;

/** A single file: `java Call.java`. */
export function java({ method, url, contentType, form, body }) {
  const quote = LITERALS.json;
  const fields = (form ?? []).map(
    ([name, value], i) => `${i === 0 ? "" : `"&" + `}encode(${quote(name)}) + "=" + encode(${quote(value)})`,
  );
  const hasBody = form || body !== undefined;
  const publisher = hasBody ? "BodyPublishers.ofString(body)" : "BodyPublishers.noBody()";
  return lines(
    "import java.net.URI;",
    form ? "import java.net.URLEncoder;" : undefined,
    "import java.net.http.HttpClient;",
    "import java.net.http.HttpRequest;",
    "import java.net.http.HttpRequest.BodyPublishers;",
    "import java.net.http.HttpResponse.BodyHandlers;",
    form ? "import java.nio.charset.StandardCharsets;" : undefined,
    "",
    "class Call {",
    "    public static void main(String[] args) throws Exception {",
    form ? `        String body = ${fields.join("\n            + ")};` : undefined,
    body !== undefined ? `        String body = ${quote(body)};` : undefined,
    `        HttpRequest request = HttpRequest.newBuilder(URI.create(${quote(url)}))`,
    hasBody ? `            .header("Content-Type", ${quote(contentType)})` : undefined,
    `            .method(${quote(method)}, ${publisher})`,
    "            .build();",
    "        var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());",
    '        System.out.println(response.statusCode() + " " + response.body());',
    "    }",
    form
      ? [
          "",
          "    static String encode(String text) {",
          "        return URLEncoder.encode(text, StandardCharsets.UTF_8);",
          "    }",
        ]
      : undefined,
    "}",
  );
}

/** With the JDK's client; on Android, the same request by OkHttp or HttpURLConnection. */
export function kotlin({ method, url, contentType, form, body }) {
  const quote = LITERALS.kotlin;
  const pairs = (form ?? []).map(([name, value]) => `        ${quote(name)} to ${quote(value)}`);
  const hasBody = form || body !== undefined;
  const publisher = hasBody ? "BodyPublishers.ofString(body)" : "BodyPublishers.noBody()";
  return lines(
    "import java.net.URI",
    form ? "import java.net.URLEncoder" : undefined,
    "import java.net.http.HttpClient",
    "import java.net.http.HttpRequest",
    "import java.net.http.HttpRequest.BodyPublishers",
    "import java.net.http.HttpResponse.BodyHandlers",
    "",
    "fun main() {",
    form
      ? [
          "    val form = listOf(",
          // Without a comma at the end, which Kotlin before 1.4 does not know.
          pairs.join(",\n"),
          "    )",
          '    val body = form.joinToString("&") { (name, value) -> name + "=" + URLEncoder.encode(value, "UTF-8") }',
        ]
      : undefined,
    body !== undefined ? `    val body = ${quote(body)}` : undefined,
    `    val request = HttpRequest.newBuilder(URI.create(${quote(url)}))`,
    hasBody ? `        .header("Content-Type", ${quote(contentType)})` : undefined,
    `        .method(${quote(method)}, ${publisher})`,
    "        .build()",
    "    val response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString())",
    '    println("${response.statusCode()} ${response.body()}")',
    "}",
  );
}
