import { mkdirSync, writeFileSync } from "node:fs";
import { printValidateProto } from "./print-proto.ts";

mkdirSync("proto/buf/validate", { recursive: true });
writeFileSync("proto/buf/validate/validate.proto", printValidateProto());
