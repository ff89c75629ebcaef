import { create, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../../../gen/google/rpc/error_details_pb.ts";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflection as V1,
  ServerReflectionResponseSchema as V1Response,
} from "../../../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as V1Alpha,
  ServerReflectionResponseSchema as V1AlphaResponse,
} from "../../../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { indexFiles } from "./file-index.ts";

type ReflectionRequest = ServerReflectionRequest["messageRequest"];
type ReflectionResponse = Pick<ServerReflectionResponse, "messageResponse">["messageResponse"];

/**
 * gRPC server reflection, v1 and v1alpha, for the given services, so that `buf curl` and its like need no
 * schema (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
 */
export function createReflection(services: readonly DescService[]) {
  const listed = [...services, V1, V1Alpha];
  // Includes the types of error details: clients such as grpcurl look them up to print them.
  const index = indexFiles([...listed.map((service) => service.file), file_google_rpc_error_details]);

  function respondTo(request: ReflectionRequest): ReflectionResponse {
    switch (request.case) {
      case "listServices":
        return respond("listServicesResponse", {
          $typeName: "grpc.reflection.v1.ListServiceResponse",
          service: listed.map(({ typeName }) => ({
            $typeName: "grpc.reflection.v1.ServiceResponse",
            name: typeName,
          })),
        });
      case "fileByFilename":
        return files(index.byName.get(request.value));
      case "fileContainingSymbol":
        return files(index.bySymbol.get(request.value));
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = request.value;
        return files(index.byExtension.get(containingType)?.get(extensionNumber));
      }
      case "allExtensionNumbersOfType": {
        const numbers = index.byExtension.get(request.value);
        if (!numbers && !index.bySymbol.has(request.value)) return failure(Code.NotFound, "unknown type");
        return respond("allExtensionNumbersResponse", {
          $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
          baseTypeName: request.value,
          extensionNumber: [...(numbers?.keys() ?? [])],
        });
      }
      default:
        return failure(Code.InvalidArgument, "empty request");
    }
  }

  return (router: ConnectRouter): void => {
    router.service(V1, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = respondTo(request.messageRequest);
          yield create(V1Response, { validHost: request.host, originalRequest: request, messageResponse });
        }
      },
    });
    router.service(V1Alpha, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          // The two versions differ only in their package name.
          const messageResponse = respondTo(request.messageRequest as unknown as ReflectionRequest) as never;
          yield create(V1AlphaResponse, {
            validHost: request.host,
            originalRequest: request,
            messageResponse,
          });
        }
      },
    });
  };
}

function respond<C extends NonNullable<ReflectionResponse["case"]>>(
  which: C,
  value: Extract<ReflectionResponse, { case: C }>["value"],
): ReflectionResponse {
  return { case: which, value } as ReflectionResponse;
}

function failure(errorCode: Code, errorMessage: string): ReflectionResponse {
  return respond("errorResponse", { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode, errorMessage });
}

/** The file and everything it imports, so that clients need no further requests. */
function files(file: DescFile | undefined): ReflectionResponse {
  if (!file) return failure(Code.NotFound, "unknown file, symbol or extension");
  const all = indexFiles([file]).byName.values();
  return respond("fileDescriptorResponse", {
    $typeName: "grpc.reflection.v1.FileDescriptorResponse",
    fileDescriptorProto: [...all].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
  });
}
