/** Fetches JSON; status 0 where nothing answers. */
export async function call(path, { method = "GET", json, form, language } = {}) {
  const started = performance.now();
  const body = json !== undefined ? JSON.stringify(json) : form && new URLSearchParams(form).toString();
  const type = json !== undefined ? "application/json" : "application/x-www-form-urlencoded";
  try {
    const response = await fetch(path, {
      method,
      ...(body !== undefined && { body }),
      headers: {
        "x-sandbox-caller": "console",
        ...(body !== undefined && { "content-type": type }),
        ...(language && { "accept-language": language }),
      },
    });
    const answer = await response.json().catch(() => ({}));
    return {
      status: response.status,
      answer: isObject(answer) ? answer : {},
      tookMs: performance.now() - started,
    };
  } catch {
    return { status: 0, answer: {}, tookMs: performance.now() - started };
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
