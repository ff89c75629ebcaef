import { createVisitor, PUBLIC_URL } from "../links/rig.ts";
import { type Harness, startHarness } from "../support/harness.ts";
import type { Causes } from "./causes.ts";
import { scrape } from "./exposition.ts";

/** Somebody comes back from the vendor again and again, with a success of their own making. */
export async function callbacksForged(): Promise<Causes> {
  await using harness: Harness = await startHarness({ env: { PUBLIC_URL } });
  const { create, press, visit } = createVisitor(() => harness.http, harness.grpcClient);
  const before = [await scrape(harness.admin)];
  const { url } = await create();
  const orderNo = new URL((await press(url)).location ?? "").searchParams.get("orderNo") ?? "";
  for (let i = 0; i < 8; i++) {
    await visit(`${url}/return?code=0&orderNo=${orderNo}&newSignature=${"0".repeat(40)}`);
  }
  return { FaceidCallbacksForged: { before, after: [await scrape(harness.admin)] } };
}
