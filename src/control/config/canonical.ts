/**
 * One serialisation per meaning, for hashes. Protobuf leaves the order of map entries to the writer, and
 * Go's shuffles it on purpose: the same listener sent twice would look changed.
 */
import { hash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

/** 128 bits of SHA-256, hex. Sorts the message's maps in place, which changes nothing that it means. */
export function hashOf(desc: DescMessage, message: Message): string {
  makeCanonical(desc, message, mapsOnly);
  return digest(toBinary(desc, message));
}

/** The hash of a domain value, which is plain data: equal values were built alike, key by key. */
export function hashOfValue(value: unknown): string {
  return digest(JSON.stringify(value));
}

const digest = (data: string | Uint8Array): string => hash("sha256", data, "hex").slice(0, 32);

/** What has no order of its own, beside maps. */
export interface CanonicalRules {
  /** A repeated field whose order means nothing. */
  isSet(field: DescField): boolean;
  /** Called for each message, innermost first: what a field holds as bytes may be made canonical too. */
  visit(desc: DescMessage, message: Message): void;
}

const mapsOnly: CanonicalRules = { isSet: () => false, visit: () => {} };

type Members = Record<string, unknown>;

/** Brings a message into the one form that all messages of its meaning share, in place. */
export function makeCanonical(desc: DescMessage, message: Message, rules: CanonicalRules): void {
  const members = message as unknown as Members;
  for (const field of desc.fields) {
    const { oneof, localName } = field;
    if (!oneof) {
      const value = members[localName];
      const inOrder = sorted(field, value, rules);
      if (inOrder !== value) members[localName] = inOrder;
      continue;
    }
    const chosen = members[oneof.localName] as { case?: string; value?: unknown };
    if (chosen.case === localName) chosen.value = sorted(field, chosen.value, rules);
  }
  rules.visit(desc, message);
}

function sorted(field: DescField, value: unknown, rules: CanonicalRules): unknown {
  const inner = field.message;
  const isSet = field.fieldKind === "list" && rules.isSet(field);
  if (value === undefined || value === null || (!inner && field.fieldKind !== "map" && !isSet))
    return value;
  // Structs are plain JSON in messages, and wrapped scalars plain scalars.
  if (inner?.typeName === "google.protobuf.Struct") return sortedJson(value);
  if (inner) for (const one of messagesIn(field.fieldKind, value)) makeCanonical(inner, one, rules);
  if (isSet) return sortedSet(inner, value as readonly unknown[]);
  return field.fieldKind === "map" ? sortedKeys(value as Members) : value;
}

function sortedSet(inner: DescMessage | undefined, values: readonly unknown[]): unknown[] {
  if (!inner) return values.toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
  return values
    .map((value) => ({ value, bytes: toBinary(inner, value as Message) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ value }) => value);
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
