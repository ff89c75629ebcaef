import { newWebhookSecret, webhookKey } from "../domain/webhook-signature.ts";
import { parseCommandLine, UsageError } from "../lib/cli.ts";
import type { Environment } from "../lib/environment.ts";
import { isLoopback } from "../lib/environment.ts";
import { Secret } from "../lib/redacted.ts";

export interface ListenArguments {
  /** The local program's URL. */
  forwardTo: string;
  /** Base URL of the service's internal listener. */
  service: string;
  /** The bearer token; undefined for a listener that needs none. */
  token: Secret | undefined;
  secret: Secret;
  /** Orders that ended at this time or later come first, wall-clock milliseconds. */
  since: number | undefined;
  /** A token of WatchResults; "" for none. */
  resume: string;
  /** Order numbers and event ids to send again first. */
  replay: readonly string[];
}

export const LISTEN_USAGE = `npm run listen -- --forward-to http://localhost:3000/hook [options]

Hands the events of a running service to a program on this machine, as the webhooks it would get: signed, with the same id,
headers and body. Makes outgoing connections only, and goes on by itself when the service restarts.

  --forward-to URL     the program; https beyond this machine
  --service URL        the service's internal listener (default: http://127.0.0.1:50051). Its bearer token, if it needs one,
                       comes from the environment variable LISTEN_TOKEN
  --secret whsec_...   signs (default: a new one, which is printed)
  --since TIME         begin with the orders that ended then: a time such as 2026-01-31T08:00:00Z, or ago, such as 90m, 12h
  --replay ID          first send this past event again, by order number or event id; may be given several times
  --resume TOKEN       go on where a listener that printed this token ended
  --help               this text`;

const OPTIONS = {
  "forward-to": { type: "string" },
  service: { type: "string" },
  secret: { type: "string" },
  since: { type: "string" },
  replay: { type: "string", multiple: true },
  resume: { type: "string" },
  help: { type: "boolean" },
} as const;

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads the command line of `npm run listen`. Throws `UsageError` with every problem, or the usage. */
export function readListenArguments(args: readonly string[], env: Environment, now: number): ListenArguments {
  const { values } = parseCommandLine({ args: [...args], options: OPTIONS }, LISTEN_USAGE);
  if (values.help) throw new UsageError(LISTEN_USAGE);
  const problems: string[] = [];
  const forwardTo = values["forward-to"];
  const target = URL.parse(forwardTo ?? "");
  if (forwardTo === undefined) problems.push("--forward-to: give the URL of your program");
  else if (!isHttp(target)) problems.push("--forward-to: must be an http or https URL");
  else if (target.protocol === "http:" && !isLoopback(target.hostname)) {
    problems.push("--forward-to: must be https beyond this machine");
  }
  const service = values.service ?? "http://127.0.0.1:50051";
  if (!isHttp(URL.parse(service))) problems.push("--service: must be an http or https URL");
  const secret = values.secret ?? newWebhookSecret();
  if (!webhookKey(secret)) problems.push("--secret: must be whsec_ and 24 to 64 bytes in Base64");
  const since = values.since === undefined ? undefined : timeOf(values.since, now);
  if (Number.isNaN(since))
    problems.push("--since: must be a time such as 2026-01-31T08:00:00Z, or ago such as 90m");
  const replay = values.replay ?? [];
  const odd = replay.filter((id) => !/^(evt_)?[0-9A-Za-z]{1,32}$/.test(id));
  if (odd.length > 0) problems.push(`--replay: ${odd.join(", ")} is no order number and no event id`);
  if (problems.length > 0) throw new UsageError(`${problems.join("\n")}\n\n${LISTEN_USAGE}`);
  return {
    forwardTo: forwardTo ?? "",
    service: service.replace(/\/+$/, ""),
    token: env["LISTEN_TOKEN"] ? new Secret(env["LISTEN_TOKEN"]) : undefined,
    secret: new Secret(secret),
    since,
    resume: values.resume ?? "",
    replay,
  };
}

const isHttp = (url: URL | null): url is URL => url !== null && /^https?:$/.test(url.protocol);

/** Wall-clock milliseconds; NaN for no time. */
function timeOf(text: string, now: number): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (UNITS[unit] ?? 0);
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}
