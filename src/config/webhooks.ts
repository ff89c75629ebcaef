import { webhookKey } from "../domain/webhook-signature.ts";
import { type EnvironmentReader, isLoopback } from "../lib/environment.ts";
import { Secret } from "../lib/redacted.ts";

/** A webhook endpoint. */
export interface WebhookEndpoint {
  name: string;
  url: string;
  /** At least one; several while one is rotated. */
  secrets: readonly Secret[];
}

const NAME = "[0-9A-Za-z._-]{1,64}";

/**
 * The endpoints of WEBHOOK_ENDPOINTS, `name=URL` separated by commas or line breaks, each with its secrets of WEBHOOK_SECRETS,
 * `name:whsec_…`. Neither a secret nor a URL is ever quoted: a path or a query may be a credential too.
 */
export function readWebhooks(read: EnvironmentReader): readonly WebhookEndpoint[] {
  const problems: string[] = [];
  const [endpoints, secrets] = [readEndpoints(read, problems), readSecrets(read, problems)];
  const names = endpoints.map(({ name }) => name);
  // An entry that cannot be read may be the one that another is missing.
  if (problems.length === 0) {
    const twice = names.filter((name, i) => names.indexOf(name) < i);
    const missing = names.filter((name) => !secrets.some((secret) => secret.name === name));
    const stray = new Set(secrets.map(({ name }) => name).filter((name) => !names.includes(name)));
    problems.push(
      ...twice.map((name) => `WEBHOOK_ENDPOINTS: ${name} is listed twice`),
      ...missing.map((name) => `WEBHOOK_SECRETS: the endpoint ${name} has no secret; add ${name}:whsec_…`),
      ...[...stray].map((name) => `WEBHOOK_SECRETS: WEBHOOK_ENDPOINTS has no endpoint ${name}`),
    );
  }
  if (endpoints.length > 0 && !read.has("LEDGER_URL") && !read.has("LEDGER_URL_FILE")) {
    problems.push("WEBHOOK_ENDPOINTS: needs a ledger; set LEDGER_URL");
  }
  read.problems.push(...problems);
  return endpoints.map(({ name, url }) => ({
    name,
    url,
    secrets: secrets.filter((secret) => secret.name === name).map(({ secret }) => secret),
  }));
}

/** The first endpoint that is reached in cleartext over a network; undefined if there is none. */
export const exposedUrl = (endpoints: readonly WebhookEndpoint[]): string | undefined =>
  endpoints
    .map(({ url }) => url)
    .find((url) => {
      const { protocol, hostname } = new URL(url);
      return protocol === "http:" && !isLoopback(hostname);
    });

/** Whether these are the same endpoints; their secrets may differ. */
export const areSameEndpoints = (some: readonly WebhookEndpoint[], others: readonly WebhookEndpoint[]) =>
  linesOf(some) === linesOf(others);

const linesOf = (endpoints: readonly WebhookEndpoint[]) =>
  endpoints.map(({ name, url }) => `${name}=${url}`).join("\n");

function readEndpoints(read: EnvironmentReader, problems: string[]): { name: string; url: string }[] {
  return entriesOf(read.secretText("WEBHOOK_ENDPOINTS")).flatMap((entry, i) => {
    const [, name, url = ""] = new RegExp(`^(${NAME})=(\\S+)$`).exec(entry) ?? [];
    if (name !== undefined && isReceiver(URL.parse(url))) return [{ name, url }];
    problems.push(
      name === undefined
        ? `WEBHOOK_ENDPOINTS: entry ${i + 1} must be name=URL, the name 1 to 64 letters, digits or . _ -`
        : `WEBHOOK_ENDPOINTS: the URL of ${name} must be https, without user, password and fragment`,
    );
    return [];
  });
}

const isReceiver = (url: URL | null): boolean =>
  url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.hash === "";

function readSecrets(read: EnvironmentReader, problems: string[]): { name: string; secret: Secret }[] {
  return entriesOf(read.secretText("WEBHOOK_SECRETS")).flatMap((entry, i) => {
    const [, name, secret = ""] = new RegExp(`^(${NAME}):(\\S+)$`).exec(entry) ?? [];
    if (name !== undefined && webhookKey(secret)) return [{ name, secret: new Secret(secret) }];
    problems.push(
      `WEBHOOK_SECRETS: entry ${i + 1} must be name:whsec_…, with 24 to 64 bytes in Base64 after whsec_`,
    );
    return [];
  });
}

const entriesOf = (text = ""): string[] =>
  text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
