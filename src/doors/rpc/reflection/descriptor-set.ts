import { create, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance } from "fastify";

/**
 * `GET /descriptors.binpb`: the services and their dependencies as a FileDescriptorSet. Substitutes for
 * server reflection on an HTTP/1.1-only listener, where reflection cannot work:
 * `buf curl --schema http://ADMIN/descriptors.binpb …`.
 */
export function createDescriptors(services: readonly DescService[]) {
  const files = new Set<DescFile>();
  // In protoc's order: each file after its imports.
  const add = (file: DescFile): void => {
    if (!files.has(file)) file.dependencies.forEach(add);
    files.add(file);
  };
  for (const service of services) add(service.file);
  const file = [...files].map(({ proto }) => proto);
  const body = Buffer.from(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })));
  return async (app: FastifyInstance): Promise<void> => {
    app.get("/descriptors.binpb", async (_request, reply) =>
      reply.type("application/octet-stream").send(body),
    );
  };
}
