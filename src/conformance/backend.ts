/** A backend's response on one of the two form routes. */
export interface BackendAnswer {
  status: number;
  /** Raw headers and body, to search for values that must not be in them. */
  text: string;
  /** The body's JSON object; empty for anything else. */
  json: Readonly<Record<string, unknown>>;
}

export interface Person {
  name: string;
  idNo: string;
}

/** A backend under examination, as the app sees it. */
export interface ExaminedBackend {
  getFaceParams(person: Person): Promise<BackendAnswer>;
  getResult(orderNo: string): Promise<BackendAnswer>;
  /** Posts a form unchanged. */
  post(path: string, form: Readonly<Record<string, string>>): Promise<BackendAnswer>;
  /** Every response so far. */
  answers: readonly BackendAnswer[];
  /** Every ID number sent so far. */
  idNumbers: ReadonlySet<string>;
}

/** Response timeout, milliseconds. */
const TIMEOUT_MS = 30_000;

export function createBackend(url: string): ExaminedBackend {
  const answers: BackendAnswer[] = [];
  const idNumbers = new Set<string>();

  async function post(path: string, form: Readonly<Record<string, string>>): Promise<BackendAnswer> {
    if (form["id_no"]) idNumbers.add(form["id_no"]);
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = await response.text();
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const answer = { status: response.status, text: `${headers}\n\n${body}`, json: readObject(body) };
    answers.push(answer);
    return answer;
  }

  return {
    answers,
    idNumbers,
    post,
    getFaceParams: ({ name, idNo }) => post("/get_face_params", { name, id_no: idNo }),
    getResult: (orderNo) => post("/get_result", { order_no: orderNo }),
  };
}

function readObject(text: string): BackendAnswer["json"] {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as BackendAnswer["json"]) : {};
  } catch {
    return {};
  }
}

/** Whether the app would treat the response as success: code "0", a string or, in old demos, a number. */
export const isSuccess = ({ status, json }: BackendAnswer): boolean =>
  status === 200 && String(json["code"]) === "0";

/** The verdict's name, if the backend returns one. */
export function verdictOf({ json }: BackendAnswer): string | undefined {
  const result = json["result"];
  const verdict =
    typeof result === "object" && result !== null && "verdict" in result ? result.verdict : undefined;
  return typeof verdict === "string" ? verdict : undefined;
}

/** An answer in a few words, with the backend's own. */
export function describeAnswer(answer: BackendAnswer): string {
  const { code, msg } = answer.json;
  const said = typeof msg === "string" && msg !== "" ? JSON.stringify(msg.slice(0, QUOTED_CHARS)) : "";
  const parts = [
    `HTTP ${answer.status}`,
    (typeof code === "string" || typeof code === "number") && `code ${code}`,
    verdictOf(answer),
    said,
  ];
  return parts.filter(Boolean).join(" ");
}

/** How much of a backend's message is quoted, characters. */
const QUOTED_CHARS = 80;
