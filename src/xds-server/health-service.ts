/** `grpc.health.v1.Health`: whoever asks for the server, or for one of its services, hears that it serves. */
import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import type { HealthCheckRequest } from "../../gen/es/grpc/health/v1/health_pb.d.ts";
import { bytesMethod } from "../control/proto/discovery-services.ts";
import type { ProtoRegistry } from "../control/proto/proto-registry.ts";

export const healthService = "grpc.health.v1.Health";

/** A HealthCheckResponse { status: SERVING }, and one of SERVICE_UNKNOWN. */
const serving = Buffer.of(0x08, 1);
const serviceUnknown = Buffer.of(0x08, 3);

/** `services`: the full names of what the server serves. */
export function addHealthService(
  server: Server,
  services: ReadonlySet<string>,
  protos: ProtoRegistry,
): void {
  const schema = protos.schema<HealthCheckRequest>("grpc.health.v1.HealthCheckRequest");
  const isServed = (request: Buffer): boolean => {
    const { service } = fromBinary(schema, request);
    return service === "" || services.has(service);
  };
  const check = bytesMethod({
    path: `/${healthService}/Check`,
    requestStream: false,
    responseStream: false,
  });
  const watch = { ...check, path: `/${healthService}/Watch`, responseStream: true };
  server.addService(
    { check, watch },
    {
      check: ({ request }: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        if (isServed(request)) done(null, serving);
        else done({ code: status.NOT_FOUND, details: "unknown service" });
      },
      // Stays open: nothing here ever stops serving but by ending.
      watch: (call: ServerWritableStream<Buffer, Buffer>) =>
        void call.write(isServed(call.request) ? serving : serviceUnknown),
    },
  );
}
