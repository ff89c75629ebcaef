import type { CodeClass } from "../domain/codes.ts";

/** What links report. Nothing personal, and no id of a link, which is all it takes to open one. */
export interface LinkEvents {
  /** A browser was sent to the vendor's page. `again`: with an upload that had been launched before. */
  linkLaunched(launched: { device: "mobile" | "pc"; again: boolean }): void;
  /**
   * A browser came back. `kind`: the class of its code, `malformed` if it is none. `signature`: whether the vendor has signed
   * the code, as far as this process can tell.
   */
  linkReturned(returned: {
    orderNo: string;
    kind: CodeClass | "malformed";
    signature: "valid" | "wrong" | "missing";
  }): void;
  /** A browser came back with a success that the vendor has not signed. It changes nothing: the verdict is the vendor's. */
  callbackForged(forged: { orderNo: string; signature: "wrong" | "missing" }): void;
  /** A link has its verdict, by name. `ageMs`: since it was made. */
  linkEnded(ended: { orderNo: string; verdict: string; attempts: number; ageMs: number }): void;
}
