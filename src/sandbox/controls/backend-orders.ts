import { connect } from "node:http2";
import type { FastifyInstance } from "fastify";
import { POLL_ID } from "../terminal.ts";
import { askRpc, type ConsoleBackend, PROBE_MS } from "./backend.ts";

const LIST_ORDERS = "/faceverification.v1.FaceVerificationService/ListOrders";
const DELIVERIES = "/faceverification.v1.DeliveryAdminService";
/** How many orders and deliveries the console shows. */
const SHOWN = 12;

/** What the console shows of the backend's ledger, and its button to send an event again. */
export function addBackendOrders(app: FastifyInstance, backend: () => ConsoleBackend | undefined): void {
  app.get("/sandbox/backend/orders", async () => {
    const { grpcUrl, adminUrl } = backend() ?? {};
    const [orders, deliveries] = await Promise.all([
      grpcUrl && overHttp2(grpcUrl, LIST_ORDERS, { pageSize: SHOWN }),
      adminUrl && askRpc(`${adminUrl}${DELIVERIES}/ListDeliveries`, { pageSize: SHOWN }),
    ]);
    return {
      orders: (orders || undefined)?.["orders"] ?? null,
      deliveries: (deliveries || undefined)?.["deliveries"] ?? null,
    };
  });

  app.post("/sandbox/backend/redeliver", async (request) => {
    const { adminUrl } = backend() ?? {};
    const { order_no: orderNo } = JSON.parse(String(request.body)) as { order_no?: unknown };
    const answer = adminUrl && (await askRpc(`${adminUrl}${DELIVERIES}/Redeliver`, { orderNo }));
    if (!answer) throw new RangeError("this backend cannot send events again");
    return answer;
  });
}

/** As `askRpc`, on a listener that speaks HTTP/2 in clear text, which `fetch` does not. */
function overHttp2(
  origin: string,
  path: string,
  message: object,
): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve) => {
    const session = connect(origin);
    const end = (answer?: Record<string, unknown>) => {
      session.destroy();
      resolve(answer);
    };
    session.on("error", () => end());
    const stream = session.request(
      { ":method": "POST", ":path": path, "content-type": "application/json", "x-request-id": POLL_ID },
      { signal: AbortSignal.timeout(PROBE_MS) },
    );
    let ok = false;
    let text = "";
    stream
      .setEncoding("utf8")
      .on("response", (headers) => {
        ok = headers[":status"] === 200;
      })
      .on("data", (chunk: string) => {
        text += chunk;
      })
      .on("error", () => end())
      .on("end", () => end(ok ? (JSON.parse(text) as Record<string, unknown>) : undefined))
      .end(JSON.stringify(message));
  });
}
