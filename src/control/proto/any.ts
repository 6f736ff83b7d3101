/**
 * What stands in an Any. Control planes also send extensions as `TypedStruct` (udpa and xds): a type
 * URL and a JSON object. Those are unwrapped here, so nobody else knows of them.
 */
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { TypedStruct as UdpaTypedStruct } from "../../../gen/es/udpa/type/v1/typed_struct_pb.d.ts";
import type { TypedStruct as XdsTypedStruct } from "../../../gen/es/xds/type/v3/typed_struct_pb.d.ts";
import { type ReadResult, readBinary } from "./binary.ts";
import { readJson } from "./json.ts";
import type { ProtoRegistry } from "./proto-registry.ts";
import { typeNameOf } from "./type-url.ts";

export interface TypedConfig {
  /** Full name of the type inside; empty if there was no Any. */
  readonly typeName: string;
  /** Reads the content as a type of ours; call it only when the extension is known by `typeName`. */
  read<T extends Message>(schema: GenMessage<T>): ReadResult<T>;
}

/** Opens an Any without reading its content, unless it is a TypedStruct; fails if that is broken. */
export function openAny(protos: ProtoRegistry, any: Any | undefined): ReadResult<TypedConfig> {
  if (!any) return { ok: true, value: noConfig };
  const typeName = typeNameOf(any.typeUrl);
  if (!typedStructs.includes(typeName)) {
    return { ok: true, value: { typeName, read: (schema) => readBinary(schema, any.value) } };
  }
  const schema = protos.schema<UdpaTypedStruct | XdsTypedStruct>(
    typeName as "udpa.type.v1.TypedStruct",
  );
  const struct = readBinary(schema, any.value);
  if (!struct.ok) return struct;
  const { typeUrl, value } = struct.value;
  return {
    ok: true,
    value: { typeName: typeNameOf(typeUrl), read: (inner) => readJson(protos, inner, value ?? {}) },
  };
}

const typedStructs = ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"];

const noConfig: TypedConfig = {
  typeName: "",
  read: (schema) => readBinary(schema, new Uint8Array()),
};
