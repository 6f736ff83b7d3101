/**
 * Every message type the proxy knows, by its full name. Made once by the server and passed on; types
 * come from gen/ for the compiler alone (`import type`), descriptors from here at run time.
 */
import { existsSync, readFileSync } from "node:fs";
import type { DescExtension, DescMessage, Message, Registry } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { assert } from "../../shared/common/assert.ts";
import { DescriptorFiles } from "./descriptor-files.ts";

export interface ProtoRegistry {
  /** The descriptor of a type that is surely there: `schema<Listener>("envoy.config.listener.v3.Listener")`. */
  schema<T extends Message>(typeName: T["$typeName"]): GenMessage<T>;
  /** The descriptor of a type that came from outside; undefined if we do not know it. */
  find(typeName: string): DescMessage | undefined;
  /** An option of the descriptors themselves: `validate.rules`. */
  extension(typeName: string): DescExtension;
  /** For the functions of @bufbuild/protobuf that look types up: JSON of Any. */
  readonly types: Registry;
}

/** What every start reads. Anything else is built when a resource names it. */
const core = [
  "envoy.config.bootstrap.v3.Bootstrap",
  "envoy.extensions.access_loggers.file.v3.FileAccessLog",
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
  "envoy.extensions.filters.http.router.v3.Router",
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
  "envoy.service.discovery.v3.DiscoveryRequest",
  "google.protobuf.Any",
  "sluice.drain.v1.DrainPolicy",
  "udpa.type.v1.TypedStruct",
  "validate.FieldRules",
  "xds.type.v3.TypedStruct",
];

/** Reads the descriptors that `npm run build` made; throws a message for a person if there are none. */
export function createProtoRegistry(descriptorSet = readDescriptorSet()): ProtoRegistry {
  const files = new DescriptorFiles(descriptorSet, core);
  const known = new Map<string, ReturnType<Registry["get"]>>();
  const find = (typeName: string): ReturnType<Registry["get"]> => {
    if (!known.has(typeName)) {
      const file = files.fileOf(typeName);
      for (const type of file ? typesIn(file) : []) known.set(type.typeName, type);
      if (!known.has(typeName)) return undefined;
    }
    return known.get(typeName);
  };
  const findKind = <Kind extends Found["kind"]>(kind: Kind, typeName: string) => {
    const type = find(typeName);
    return type?.kind === kind ? (type as Extract<Found, { kind: Kind }>) : undefined;
  };
  const types: Registry = {
    kind: "registry",
    [Symbol.iterator]: () => [...known.values()].filter((type) => type !== undefined).values(),
    get: find,
    getMessage: (typeName) => findKind("message", typeName),
    getEnum: (typeName) => findKind("enum", typeName),
    getExtension: (typeName) => findKind("extension", typeName),
    getService: (typeName) => findKind("service", typeName),
    // Nothing of ours extends a message that travels.
    getExtensionFor: () => undefined,
  };
  return {
    types,
    find: (typeName) => types.getMessage(typeName),
    schema: <T extends Message>(typeName: T["$typeName"]) => {
      const desc = types.getMessage(typeName);
      assert(desc, `no descriptor of ${typeName}`);
      return desc as GenMessage<T>;
    },
    extension: (typeName) => {
      const desc = types.getExtension(typeName);
      assert(desc, `no descriptor of ${typeName}`);
      return desc;
    },
  };
}

type Found = NonNullable<ReturnType<Registry["get"]>>;

function* typesIn(scope: {
  readonly messages?: readonly DescMessage[];
  readonly nestedMessages?: readonly DescMessage[];
  readonly enums?: readonly Found[];
  readonly nestedEnums?: readonly Found[];
  readonly extensions?: readonly Found[];
  readonly nestedExtensions?: readonly Found[];
  readonly services?: readonly Found[];
}): Generator<Found> {
  yield* scope.enums ?? scope.nestedEnums ?? [];
  yield* scope.extensions ?? scope.nestedExtensions ?? [];
  yield* scope.services ?? [];
  for (const message of scope.messages ?? scope.nestedMessages ?? []) {
    yield message;
    yield* typesIn(message);
  }
}

/** In gen/ for the sources, beside the program in dist/. */
export function readDescriptorSet(): Uint8Array {
  const places = ["./envoy.binpb", "../../../gen/envoy.binpb"];
  const found = places
    .map((place) => new URL(place, import.meta.url))
    .find((url) => existsSync(url));
  if (!found) throw new Error("no protobuf descriptors: run `npm run build`");
  return readFileSync(found);
}
