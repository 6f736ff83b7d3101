/**
 * gRPC server reflection, v1 and v1alpha (one set of messages under two names): tools such as grpcurl list the
 * services and decode their messages, resources in an `Any` among them, for every descriptor that the proxy has is
 * told. The files are read at the first question, since most servers are never asked one.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../../gen/es/grpc/reflection/v1/reflection_pb.d.ts";
import { messageOf } from "../../shared/common/errors.ts";
import { DescriptorFiles } from "./descriptor-files.ts";
import { bytesMethod } from "./discovery-services.ts";
import { type ProtoRegistry, readDescriptorSet } from "./proto-registry.ts";

type Answer = NonNullable<
  MessageInitShape<GenMessage<ServerReflectionResponse>>["messageResponse"]
>;

export const reflectionServices = ["v1", "v1alpha"].map(
  (version) => `grpc.reflection.${version}.ServerReflection`,
);

/** `services`: the full names to list. */
export function addReflectionService(
  server: Server,
  services: ReadonlySet<string>,
  protos: ProtoRegistry,
): void {
  const requestSchema = protos.schema<ServerReflectionRequest>(
    "grpc.reflection.v1.ServerReflectionRequest",
  );
  const responseSchema = protos.schema<ServerReflectionResponse>(
    "grpc.reflection.v1.ServerReflectionResponse",
  );
  let files: DescriptorFiles | undefined;
  const serve = (call: ServerDuplexStream<Buffer, Buffer>): void => {
    call.on("end", () => call.end());
    call.on("error", () => call.end());
    call.on("data", (message: Buffer) => {
      try {
        files ??= new DescriptorFiles(readDescriptorSet(), []);
        const originalRequest = fromBinary(requestSchema, message);
        const response = create(responseSchema, {
          validHost: originalRequest.host,
          originalRequest,
          messageResponse: answerTo(originalRequest, files, services),
        });
        call.write(Buffer.from(toBinary(responseSchema, response)));
      } catch (thrown) {
        call.emit("error", { code: status.INVALID_ARGUMENT, details: messageOf(thrown) });
      }
    });
  };
  for (const name of reflectionServices) {
    const path = `/${name}/ServerReflectionInfo`;
    const info = bytesMethod({ path, requestStream: true, responseStream: true });
    server.addService({ info }, { info: serve });
  }
}

function answerTo(
  { messageRequest }: ServerReflectionRequest,
  files: DescriptorFiles,
  services: ReadonlySet<string>,
): Answer {
  switch (messageRequest.case) {
    case "listServices": {
      const service = [...services].map((name) => ({ name }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileNamed(messageRequest.value, files);
    case "fileContainingSymbol":
      return fileNamed(fileOfSymbol(messageRequest.value, files), files);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
    case undefined:
      return refused(status.UNIMPLEMENTED, "extensions are not told");
  }
}

/** Of a type or a service, or of what is in one: a method, a field. */
function fileOfSymbol(symbol: string, files: DescriptorFiles): string | undefined {
  const name = symbol.replace(/^\./, "");
  return files.fileNameOf(name) ?? files.fileNameOf(name.slice(0, name.lastIndexOf(".")));
}

function fileNamed(name: string | undefined, files: DescriptorFiles): Answer {
  const bytes = name === undefined ? undefined : files.bytesOf(name);
  if (!bytes) return refused(status.NOT_FOUND, "no such file or symbol");
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [bytes] } };
}

function refused(errorCode: status, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
