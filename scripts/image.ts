import { execFileSync } from "node:child_process";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The protos as buf compiles them, with their comments, which generated code does not have. */
export function readImage(): FileRegistry {
  const image = execFileSync("buf", ["build", "-o", "-"], { maxBuffer: 64 * 1024 * 1024 });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
}
