import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ServerParts } from "../server.ts";
import { ENDPOINTS, readJsonObject } from "../vendor/request.ts";
import { RULES, type Rule, type RuleName } from "../vendor/rules.ts";
import { SCENARIOS } from "../vendor/scenarios.ts";
import { FAULT_KINDS, type FaultSpec, RETURN_FAULTS } from "./faults.ts";
import { addReceiver } from "./receiver.ts";
import { RULE_TEXTS_ZH } from "./rule-texts.ts";

/** The controls at /sandbox/, for other processes; plain JSON both ways. */
export function addControls(app: FastifyInstance, { sandbox, faults, receiver, state }: ServerParts): void {
  const body = (request: FastifyRequest) =>
    readJsonObject(typeof request.body === "string" ? request.body : "") ?? {};

  const entries = Object.entries(RULES) as [RuleName, Rule][];
  const rules = Object.fromEntries(
    entries.map(([name, rule]) => [name, { ...rule, zh: RULE_TEXTS_ZH[name] }]),
  );

  app.get("/sandbox/scenarios", () => ({ scenarios: SCENARIOS }));
  app.get("/sandbox/rules", () => ({ rules }));
  app.get("/sandbox/stats", () => sandbox.stats);
  app.get("/sandbox/picture", () => sandbox.picture);
  app.get("/sandbox/breaches", () => ({ breaches: sandbox.breaches }));
  app.delete("/sandbox/breaches", () => {
    sandbox.clearBreaches();
    return { breaches: sandbox.breaches };
  });

  app.get("/sandbox/clock", () => ({ now: sandbox.now() }));
  app.post("/sandbox/clock", (request) => {
    sandbox.advance(Number(body(request)["advance_ms"]));
    return { now: sandbox.now() };
  });
  app.post("/sandbox/latency", (request) => {
    sandbox.latencyMs = count(body(request), "latency_ms") ?? 0;
    return { latency_ms: sandbox.latencyMs };
  });
  app.post("/sandbox/rotate", () => {
    sandbox.rotate();
    return { token_generation: sandbox.stats.tokenGeneration };
  });
  app.post("/sandbox/revoke", (request) => {
    const { code } = body(request);
    sandbox.revoke(typeof code === "string" ? code : undefined);
    return {};
  });
  app.post("/sandbox/secret", (request) => {
    const { secret } = body(request);
    sandbox.changeSecret(typeof secret === "string" ? secret : "");
    return {};
  });
  app.post<{ Params: { orderNo: string } }>("/sandbox/orders/:orderNo", (request) => {
    const { outcome } = body(request);
    return sandbox.complete(request.params.orderNo, typeof outcome === "string" ? outcome : undefined);
  });

  app.post("/sandbox/reset", () => {
    sandbox.reset();
    return {};
  });

  addReceiver(app, { receiver, clock: state.clock });

  app.get("/sandbox/faults", () => ({ faults: faults.list() }));
  app.post("/sandbox/faults", (request) => ({ id: faults.add(readFault(body(request))) }));
  app.delete("/sandbox/faults", () => {
    faults.clear();
    return {};
  });
  app.delete<{ Params: { id: string } }>("/sandbox/faults/:id", (request) => {
    faults.clear(Number(request.params.id));
    return {};
  });

  app.setErrorHandler((error, _request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message: string };
    const status = error instanceof RangeError ? 400 : (statusCode ?? 500);
    return reply
      .code(status)
      .send({ code: String(status), msg: status < 500 ? message : "the sandbox itself failed" });
  });
}

function readFault(json: Readonly<Record<string, unknown>>): FaultSpec {
  const endpoint = ([...ENDPOINTS, "any"] as const).find((each) => each === json["endpoint"]);
  const kind = FAULT_KINDS.find((each) => each === json["kind"]);
  if (!endpoint) throw new RangeError(`endpoint must be one of ${ENDPOINTS.join(", ")}, any`);
  if (!kind) throw new RangeError(`kind must be one of ${FAULT_KINDS.join(", ")}`);
  if ((endpoint === "web_return") !== RETURN_FAULTS.includes(kind)) {
    throw new RangeError(`the kinds of web_return, and of it alone, are ${RETURN_FAULTS.join(", ")}`);
  }
  const { times, code } = json;
  const delayMs = count(json, "delay_ms");
  const status = count(json, "status");
  const after = count(json, "after");
  return {
    endpoint,
    kind,
    ...(times === null ? { times } : times !== undefined && { times: count(json, "times") ?? 1 }),
    ...(after !== undefined && { after }),
    ...(delayMs !== undefined && { delayMs }),
    ...(status !== undefined && { status }),
    ...(typeof code === "string" && { code }),
  };
}

function count(json: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = json[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw new RangeError(`${name} must be a whole number`);
  }
  return value;
}
