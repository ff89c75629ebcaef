import { expect, test } from "vitest";
import { newWebhookSecret } from "../../src/domain/webhook-signature.ts";
import { UsageError } from "../../src/lib/cli.ts";
import { LISTEN_USAGE, readListenArguments } from "../../src/listen/arguments.ts";

const NOW = Date.UTC(2026, 0, 31, 12);
const TO = ["--forward-to", "http://localhost:3000/hook"];
const read = (...args: string[]) => readListenArguments(args, { LISTEN_TOKEN: "token-of-sixteen" }, NOW);

test("a target is all it takes; the secret is a new one and the token comes from the environment", () => {
  const options = read(...TO);
  expect(options).toMatchObject({
    forwardTo: "http://localhost:3000/hook",
    service: "http://127.0.0.1:50051",
    since: undefined,
    resume: "",
    replay: [],
  });
  expect(options.token?.reveal()).toBe("token-of-sixteen");
  expect(options.secret.reveal()).toMatch(/^whsec_/);
  expect(read(...TO).secret.reveal()).not.toBe(options.secret.reveal());
  expect(readListenArguments(TO, {}, NOW).token).toBeUndefined();
});

test("everything can be said", () => {
  const secret = newWebhookSecret();
  const options = read(
    ...TO,
    "--service",
    "https://face.internal/",
    "--secret",
    secret,
    "--replay",
    "o1",
    "--replay",
    "evt_o2",
    "--resume",
    "abc",
  );
  expect(options).toMatchObject({
    service: "https://face.internal",
    resume: "abc",
    replay: ["o1", "evt_o2"],
  });
  expect(options.secret.reveal()).toBe(secret);
});

test.each([
  ["90m", NOW - 90 * 60_000],
  ["45s", NOW - 45_000],
  ["12h", NOW - 12 * 3_600_000],
  ["2d", NOW - 2 * 86_400_000],
  ["2026-01-31T08:00:00Z", Date.UTC(2026, 0, 31, 8)],
])("--since %s", (text, since) => {
  expect(read(...TO, "--since", text).since).toBe(since);
});

test.each<[string[], string]>([
  [[], "--forward-to: give the URL of your program"],
  [["--forward-to", "localhost:3000"], "--forward-to: must be an http or https URL"],
  [["--forward-to", "http://10.0.0.1/"], "--forward-to: must be https beyond this machine"],
  [[...TO, "--service", "face.internal"], "--service: must be an http or https URL"],
  [[...TO, "--secret", "hunter2"], "--secret: must be whsec_ and 24 to 64 bytes in Base64"],
  [
    [...TO, "--since", "yesterday"],
    "--since: must be a time such as 2026-01-31T08:00:00Z, or ago such as 90m",
  ],
  [[...TO, "--replay", "a b"], "--replay: a b is no order number and no event id"],
  [[...TO, "--nope"], "Unknown option '--nope'"],
])("%j is refused: %s", (args, problem) => {
  const refused = () => read(...args);
  expect(refused).toThrow(UsageError);
  expect(refused).toThrow(problem);
  expect(refused).toThrow(LISTEN_USAGE);
  expect(refused).not.toThrow("hunter2");
});

test("--help is the usage", () => {
  expect(() => read("--help")).toThrow(LISTEN_USAGE);
});
