import { Masked } from "./masked.ts";

/** Whatever opens a door: app secret, token, ticket, bearer token. */
export class Secret extends Masked<string> {
  readonly kind = "secret";
}
