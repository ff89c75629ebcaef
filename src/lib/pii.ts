import { Masked } from "./masked.ts";

/** Whatever says who somebody is: name, ID number, photo, video. */
export class Pii<T = string> extends Masked<T> {
  readonly kind = "pii";
}
