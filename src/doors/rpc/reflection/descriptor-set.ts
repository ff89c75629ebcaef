import { create, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance } from "fastify";

/**
 * `GET /descriptors.binpb`: the services and all they need as a FileDescriptorSet. It stands in for server reflection on a
 * listener that speaks HTTP/1.1 only, where reflection cannot work: `buf curl --schema http://ADMIN/descriptors.binpb …`.
 */
export function createDescriptors(services: readonly DescService[]) {
  const files = new Set<DescFile>();
  // Protoc's order: a file comes after those it imports.
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
