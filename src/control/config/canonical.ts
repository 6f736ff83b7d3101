/**
 * One serialisation per meaning, for hashes. Protobuf leaves the order of map entries to the writer, and
 * Go's shuffles it on purpose: the same listener sent twice would look changed.
 */
import { hash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

/** 128 bits of SHA-256, hex. Sorts the message's maps in place, which changes nothing that it means. */
export function hashOf(desc: DescMessage, message: Message): string {
  sortMaps(desc, message);
  return digest(toBinary(desc, message));
}

/** The hash of a domain value, which is plain data: equal values were built alike, key by key. */
export function hashOfValue(value: unknown): string {
  return digest(JSON.stringify(value));
}

const digest = (data: string | Uint8Array): string => hash("sha256", data, "hex").slice(0, 32);

type Members = Record<string, unknown>;

function sortMaps(desc: DescMessage, message: Message): void {
  const members = message as unknown as Members;
  for (const field of desc.fields) {
    const { oneof, localName } = field;
    if (!oneof) {
      const value = members[localName];
      const inOrder = sorted(field, value);
      if (inOrder !== value) members[localName] = inOrder;
      continue;
    }
    const chosen = members[oneof.localName] as { case?: string; value?: unknown };
    if (chosen.case === localName) chosen.value = sorted(field, chosen.value);
  }
}

function sorted(field: DescField, value: unknown): unknown {
  const inner = field.message;
  if (value === undefined || value === null || (!inner && field.fieldKind !== "map")) return value;
  // Structs are plain JSON in messages, and wrapped scalars plain scalars.
  if (inner?.typeName === "google.protobuf.Struct") return sortedJson(value);
  if (inner) for (const one of messagesIn(field.fieldKind, value)) sortMaps(inner, one);
  return field.fieldKind === "map" ? sortedKeys(value as Members) : value;
}

function messagesIn(kind: string, value: unknown): readonly Message[] {
  const found = kind === "list" || kind === "map" ? Object.values(value as object) : [value];
  return found.filter(
    (one) => typeof one === "object" && one !== null && "$typeName" in one,
  ) as Message[];
}

const sortedKeys = (map: Members): Members =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

function sortedJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedJson);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sortedJson(inner)] as const);
  return sortedKeys(Object.fromEntries(entries));
}
