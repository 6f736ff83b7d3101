/**
 * No field is ignored in silence. Every set field of every message we read is looked up in a table: it
 * is honoured by a decoder, refused because leaving it out would change who may pass or where bytes go,
 * or accepted and warned of. A field in no table is warned of, so the policy is total by construction.
 */
import { isFieldSet } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { bootstrapFields } from "./field-tables/bootstrap-fields.ts";
import { clusterFields } from "./field-tables/cluster-fields.ts";
import { coreFields } from "./field-tables/core-fields.ts";
import type { FieldTable } from "./field-tables/field-table.ts";
import { httpFields } from "./field-tables/http-fields.ts";
import { listenerFields } from "./field-tables/listener-fields.ts";
import { routeFields } from "./field-tables/route-fields.ts";

export interface PolicySink {
  refuse(error: string): void;
  warn(field: string, reason: string): void;
}

const tables: ReadonlyMap<string, FieldTable> = new Map(
  [coreFields, bootstrapFields, listenerFields, httpFields, routeFields, clusterFields].flatMap(
    (group) => Object.entries(group),
  ),
);

const notBuilt = "not built, has no effect";

/** Judges the set fields of a message and of all that is in it, short of the content of Anys. */
export function applyFieldPolicy(desc: DescMessage, message: Message, sink: PolicySink): void {
  const table = tables.get(desc.typeName);
  if (table === "whole" || desc.typeName.startsWith("google.protobuf.")) return;
  judgeUnknown(desc, message, table, sink);
  for (const field of desc.fields) {
    if (!isFieldSet(message, field)) continue;
    if (table?.honoured.includes(field.name)) judgeInside(field, message, sink);
    else judgeField(field, message, { table, sink });
  }
}

function judgeInside(field: DescField, message: Message, sink: PolicySink): void {
  if (!field.message) return;
  for (const value of messagesOf(field, message)) applyFieldPolicy(field.message, value, sink);
}

function judgeField(
  field: DescField,
  message: Message,
  { table, sink }: { table: Exclude<FieldTable, "whole"> | undefined; sink: PolicySink },
): void {
  const name = `${field.parent.typeName}.${field.name}`;
  const refusal = table?.refused?.[field.name];
  const warning = table?.warned?.[field.name];
  // An explicit `false` in a wrapper asks for nothing, where we know that false is the default.
  if ((refusal ?? warning) !== undefined && valueOf(field, message) === false) return;
  if (refusal === undefined) sink.warn(name, warning ?? notBuilt);
  else sink.refuse(`${name} is not supported: ${refusal}`);
}

/** Fields that are newer than our protos: a matcher with one would match too much. */
function judgeUnknown(
  desc: DescMessage,
  message: Message,
  table: FieldTable | undefined,
  sink: PolicySink,
): void {
  for (const { no } of message.$unknown ?? []) {
    const name = `${desc.typeName}.#${no}`;
    if (table !== undefined && table !== "whole" && table.isMatcher === true)
      sink.refuse(`${name} is not supported: a field that is not known, in a matcher`);
    else sink.warn(name, "a field that is not known, has no effect");
  }
}

function valueOf(field: DescField, message: Message): unknown {
  const members = message as unknown as Readonly<Record<string, unknown>>;
  if (!field.oneof) return members[field.localName];
  return (members[field.oneof.localName] as { value?: unknown }).value;
}

function messagesOf(field: DescField, message: Message): readonly Message[] {
  const value = valueOf(field, message);
  if (field.fieldKind === "list") return value as readonly Message[];
  if (field.fieldKind === "map") return Object.values(value as Record<string, Message>);
  // A wrapped scalar is plain here, and has no fields of its own.
  return typeof value === "object" && value !== null ? [value as Message] : [];
}
