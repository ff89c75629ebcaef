import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { launch, noncePath, random, uploadBody, uploadPath } from "../exchange.ts";

// As the vendor's demo server works, in Node: tickets from a file for each request, the calls to the vendor one after the
// other, each on a connection of its own.

const ORIGIN = process.env["UPSTREAM"] ?? "";

function ask<T>(path: string, body = ""): Promise<T> {
  return new Promise((resolve, reject) => {
    const method = body === "" ? "GET" : "POST";
    const asked = request(`${ORIGIN}${path}`, { method, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
      });
      response.on("end", () => resolve(JSON.parse(text) as T));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of incoming) body += String(chunk);
  const form = new URLSearchParams(body);
  const [name, idNo, userId] = ["name", "id_no", "user_id"].map((field) => form.get(field) ?? "");
  JSON.parse(await readFile(process.env["TICKETS"] ?? "", "utf8"));
  const orderNo = random();
  const upload = await ask<{ result: { faceId: string } }>(
    uploadPath(orderNo),
    uploadBody(orderNo, name!, idNo!, userId!),
  );
  const { tickets } = await ask<{ tickets: [{ value: string }] }>(noncePath(userId!));
  const result = launch(orderNo, userId!, upload.result.faceId, tickets[0].value);
  response.end(JSON.stringify({ code: "0", msg: "success", result }));
}

createServer((incoming, response) => void serve(incoming, response)).listen(
  Number(process.env["PORT"]),
  "127.0.0.1",
);
