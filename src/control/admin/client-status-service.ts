/** CSDS over gRPC: both calls, for tools such as `istioctl` and `grpcdebug`. */
import {
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  status,
} from "@grpc/grpc-js";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type {
  ClientStatusRequest,
  ClientStatusResponse,
} from "../../../gen/es/envoy/service/status/v3/csds_pb.d.ts";
import { messageOf } from "../../shared/common/errors.ts";
import { readBinary } from "../proto/binary.ts";
import { bytesMethod, type BytesMethod } from "../proto/discovery-services.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import type { AdminGrpcService } from "./admin-grpc-server.ts";
import {
  type ClientResource,
  type ClientResourceError,
  type ClientStatusSource,
  clientResources,
} from "./client-status.ts";

const name = "envoy.service.status.v3.ClientStatusDiscoveryService";

export interface ClientStatusServiceOptions {
  readonly protos: ProtoRegistry;
  /** A serialised `envoy.config.core.v3.Node`: ours. */
  readonly node: Uint8Array;
  readonly source: ClientStatusSource;
}

type Answer =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly code: status; readonly details: string };

export function clientStatusService(options: ClientStatusServiceOptions): AdminGrpcService {
  return {
    name,
    methods: {
      FetchClientStatus: method("FetchClientStatus", false),
      StreamClientStatus: method("StreamClientStatus", true),
    },
    handlers: {
      FetchClientStatus: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
        const answer = answerTo(call.request, options);
        if (answer.ok) reply(null, answer.bytes);
        else reply({ code: answer.code, details: answer.details });
      },
      StreamClientStatus: (stream: ServerDuplexStream<Buffer, Buffer>) =>
        serveStream(stream, options),
    },
  };
}

function method(of: string, isStream: boolean): BytesMethod {
  return bytesMethod({
    path: `/${name}/${of}`,
    requestStream: isStream,
    responseStream: isStream,
  });
}

/** One answer for each request, and none is read before the last has been taken. */
function serveStream(
  stream: ServerDuplexStream<Buffer, Buffer>,
  options: ClientStatusServiceOptions,
): void {
  stream.on("data", (request: Buffer) => {
    const answer = answerTo(request, options);
    if (!answer.ok) stream.emit("error", { code: answer.code, details: answer.details });
    else if (!stream.write(answer.bytes)) {
      stream.pause();
      stream.once("drain", () => stream.resume());
    }
  });
  stream.on("end", () => stream.end());
  // A client that goes away is no news.
  stream.on("error", () => {});
}

function answerTo(request: Buffer, options: ClientStatusServiceOptions): Answer {
  const { protos, source } = options;
  const schema = protos.schema<ClientStatusRequest>("envoy.service.status.v3.ClientStatusRequest");
  const read = readBinary(schema, request);
  if (!read.ok) return refusal(status.INVALID_ARGUMENT, read.errors.join("; "));
  // Matchers are for management servers, which have many clients.
  if (read.value.nodeMatchers.length > 0)
    return refusal(status.INVALID_ARGUMENT, "node_matchers are not supported: there is one client");
  try {
    const hasContents = !read.value.excludeResourceContents;
    return { ok: true, bytes: response(clientResources(source), hasContents, options) };
  } catch (thrown) {
    return refusal(status.INTERNAL, messageOf(thrown));
  }
}

function refusal(code: status, details: string): Answer {
  return { ok: false, code, details };
}

function response(
  resources: readonly ClientResource[],
  hasContents: boolean,
  { protos, node }: ClientStatusServiceOptions,
): Buffer {
  const schema = protos.schema<ClientStatusResponse>(
    "envoy.service.status.v3.ClientStatusResponse",
  );
  const readNode = readBinary(protos.schema<Node>("envoy.config.core.v3.Node"), node);
  const message = create(schema, {
    config: [
      {
        ...(readNode.ok ? { node: readNode.value } : {}),
        genericXdsConfigs: resources.map((resource) => generic(resource, hasContents)),
      },
    ],
  });
  return Buffer.from(toBinary(schema, message));
}

/** Init of a `GenericXdsConfig`. */
function generic(resource: ClientResource, hasContents: boolean) {
  const {
    typeUrl,
    name,
    version,
    bytes,
    lastUpdatedMs,
    status: client,
    isStatic,
    error,
  } = resource;
  return {
    typeUrl,
    name,
    versionInfo: version,
    clientStatus: client,
    isStaticResource: isStatic,
    ...(bytes && hasContents ? { xdsConfig: { typeUrl, value: bytes } } : {}),
    ...(lastUpdatedMs === undefined ? {} : { lastUpdated: timestampFromMs(lastUpdatedMs) }),
    ...(error ? { errorState: errorState(typeUrl, error, hasContents) } : {}),
  };
}

function errorState(typeUrl: string, error: ClientResourceError, hasContents: boolean) {
  const { version, details, bytes, lastAttemptMs } = error;
  return {
    versionInfo: version,
    details,
    lastUpdateAttempt: timestampFromMs(lastAttemptMs),
    ...(bytes && hasContents ? { failedConfiguration: { typeUrl, value: bytes } } : {}),
  };
}
