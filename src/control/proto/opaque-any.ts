/**
 * Makes a message printable whose Anys we cannot read: types we do not know, broken bytes. Each is
 * replaced by a Struct that says the type and holds the bytes, so that /config_dump can show what was
 * refused. The message is changed in place: pass one that nobody else holds.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { StructSchema, anyPack } from "@bufbuild/protobuf/wkt";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ProtoRegistry } from "./proto-registry.ts";
import { typeNameOf } from "./type-url.ts";

/** Returns true if it changed anything. */
export function replaceOpaqueAnys(
  protos: ProtoRegistry,
  desc: DescMessage,
  message: Message,
): boolean {
  if (desc.typeName === "google.protobuf.Any") return replaceAny(protos, message as Any);
  let isChanged = false;
  for (const field of desc.fields) {
    const inner = field.message;
    if (
      !inner ||
      (inner !== desc && inner.typeName.startsWith("google.protobuf.") && !isAny(inner))
    )
      continue;
    for (const value of valuesOf(field, message))
      isChanged = replaceOpaqueAnys(protos, inner, value) || isChanged;
  }
  return isChanged;
}

const isAny = (desc: DescMessage): boolean => desc.typeName === "google.protobuf.Any";

function replaceAny(protos: ProtoRegistry, any: Any): boolean {
  if (any.typeUrl === "") return false;
  const desc = protos.find(typeNameOf(any.typeUrl));
  if (!desc) return makeOpaque(any);
  try {
    const content = fromBinary(desc, any.value);
    if (!replaceOpaqueAnys(protos, desc, content)) return false;
    any.value = toBinary(desc, content);
    return true;
  } catch {
    return makeOpaque(any);
  }
}

function makeOpaque(any: Any): boolean {
  const value = Buffer.from(any.value).toString("base64");
  const struct = create(StructSchema, {
    fields: {
      type_url: { kind: { case: "stringValue", value: any.typeUrl } },
      value: { kind: { case: "stringValue", value } },
    },
  });
  const packed = anyPack(StructSchema, struct);
  any.typeUrl = packed.typeUrl;
  any.value = packed.value;
  return true;
}

function valuesOf(field: DescField, message: Message): readonly Message[] {
  const members = message as unknown as Readonly<Record<string, unknown>>;
  if (field.oneof) {
    const chosen = members[field.oneof.localName] as { case?: string; value?: Message };
    return chosen.case === field.localName && chosen.value ? [chosen.value] : [];
  }
  const value = members[field.localName];
  if (value === undefined) return [];
  if (field.fieldKind === "list") return value as readonly Message[];
  if (field.fieldKind === "map") return Object.values(value as Record<string, Message>);
  return [value as Message];
}
