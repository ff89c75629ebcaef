import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { addPassThrough } from "./backend.ts";
import { addBackendOrders } from "./backend-orders.ts";

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript" } as const;

/** Pages by path. */
const PAGES: Readonly<Record<string, string>> = { "index.html": "/", "pair.html": "/pair" };
const DIRECTORY = join(import.meta.dirname, "../console");

/** The page loads only its own files, connects only to its own origin, and must not be framed. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The console at `/` and its proxy to the backend. Never part of a service with real credentials. */
export function addConsole(app: FastifyInstance, parts: Parameters<typeof addPassThrough>[1]): void {
  // Each by its own route: no other file is reachable.
  for (const file of readdirSync(DIRECTORY)) {
    const path = PAGES[file] ?? `/console/${file}`;
    const content = readFileSync(join(DIRECTORY, file));
    const type = TYPES[file.slice(file.lastIndexOf(".") + 1) as keyof typeof TYPES];
    app.get(path, (_request, reply) =>
      reply
        .headers({
          "content-type": `${type}; charset=utf-8`,
          "content-security-policy": POLICY,
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "cache-control": "no-cache",
        })
        .send(content),
    );
  }
  app.get("/favicon.ico", (_request, reply) => reply.code(204).send());
  addPassThrough(app, parts);
  addBackendOrders(app, parts.backend);
}
