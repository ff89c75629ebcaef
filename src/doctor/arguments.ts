import { parseCommandLine, UsageError } from "../lib/cli.ts";

export const EXPLAINED = ["upload", "launch", "query", "callback"] as const;

export interface ExplainArguments {
  call: (typeof EXPLAINED)[number];
  appId: string | undefined;
  userId: string;
  orderNo: string;
  nonce: string;
  code: string;
  /** File with the ticket; undefined for the SIGN ticket in the store. */
  ticketFile: string | undefined;
  /** A signature to compare the result with. */
  sign: string | undefined;
}

export interface DoctorArguments {
  json: boolean;
  /** Whether a token may be fetched from the vendor if the store has no working one. */
  allowTokenCall: boolean;
  /** Whether to upload a fictitious identity, to check that the contract covers the edition. */
  edition: boolean;
  explain: ExplainArguments | undefined;
}

export const DOCTOR_USAGE = `npm run doctor -- [options]
npm run doctor -- explain CALL [values]

Checks the configuration in the environment and all that it names, and says what to do. Asks the vendor with the token that is
in the store, and never for a new one, which would kill that of the running processes.

  --allow-token-call   if the store holds no token that works, fetch one, under the lease that all processes share. Only
                       when nothing else uses this WBappid
  --edition            upload an identity of nobody (the example of GB 11643) to see whether FACEID_EDITION is contracted;
                       costs nothing, leaves a faceId that ends after five minutes
  --json               one JSON document on stdout in place of the table
  --help               this text

Exit code: 0 all is well, 1 something to look at, 2 something to repair.

explain shows what is signed and in which order. CALL is one of ${EXPLAINED.join(", ")}.
  --user-id X --nonce X              for upload and launch
  --order-no X --nonce X             for query
  --order-no X --code X              for callback, what the SDK or the H5 page signs
  --app-id X                         in place of FACEID_APP_ID
  --ticket-file FILE                 the ticket, in place of the SIGN ticket in the store; launch needs its NONCE ticket
  --sign X                           a signature to compare with`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const OPTIONS = {
  json: flag,
  "allow-token-call": flag,
  edition: flag,
  help: flag,
  "user-id": text,
  "order-no": text,
  "app-id": text,
  "ticket-file": text,
  nonce: text,
  code: text,
  sign: text,
} as const;

/** Reads the command line of `npm run doctor`; throws `UsageError`. */
export function readDoctorArguments(args: readonly string[]): DoctorArguments {
  const { values, positionals } = parseCommandLine(
    { args: [...args], options: OPTIONS, allowPositionals: true },
    DOCTOR_USAGE,
  );
  if (values.help) throw new UsageError(DOCTOR_USAGE);
  const [command, name, ...rest] = positionals;
  const call = EXPLAINED.find((each) => each === name);
  if ((command !== undefined && command !== "explain") || rest.length > 0) throw new UsageError(DOCTOR_USAGE);
  if (command === "explain" && call === undefined)
    throw new UsageError(`explain ${EXPLAINED.join("|")}\n\n${DOCTOR_USAGE}`);
  return {
    json: values.json ?? false,
    allowTokenCall: values["allow-token-call"] ?? false,
    edition: values.edition ?? false,
    explain: call && {
      call,
      appId: values["app-id"],
      userId: values["user-id"] ?? "",
      orderNo: values["order-no"] ?? "",
      nonce: values.nonce ?? "",
      code: values.code ?? "",
      ticketFile: values["ticket-file"],
      sign: values.sign,
    },
  };
}
