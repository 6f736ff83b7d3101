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
import { matcherFields } from "./field-tables/matcher-fields.ts";
import { routeFields } from "./field-tables/route-fields.ts";
import { tlsFields } from "./field-tables/tls-fields.ts";

export interface PolicySink {
  refuse(error: string): void;
  warn(field: string, reason: string): void;
}

const tables: ReadonlyMap<string, FieldTable> = new Map(
  [
    coreFields,
    bootstrapFields,
    listenerFields,
    httpFields,
    routeFields,
    clusterFields,
    tlsFields,
    matcherFields,
  ].flatMap((group) => Object.entries(group)),
);

const notBuilt = "not built, has no effect";

/** What to do with a field when it is set. */
interface FieldVerdict {
  readonly field: DescField;
  /** The message it holds, where that has fields to judge. */
  readonly inner: DescMessage | undefined;
  readonly refusal: string | undefined;
  readonly warning: string | undefined;
  /** An explicit `false` in a wrapper asks for nothing, where we know that false is the default. */
  readonly mayBeFalse: boolean;
}

interface MessagePlan {
  readonly isMatcher: boolean;
  /** Fields that are honoured and hold nothing more to judge are not in it. */
  readonly verdicts: readonly FieldVerdict[];
}

/** By type: tables are looked up once, pushes of ten thousand listeners are not slowed by it. */
const plans = new WeakMap<DescMessage, MessagePlan>();

/** Judges the set fields of a message and of all that is in it, short of the content of Anys. */
export function applyFieldPolicy(desc: DescMessage, message: Message, sink: PolicySink): void {
  const { isMatcher, verdicts } = planOf(desc);
  if (message.$unknown) judgeUnknown(desc, message, { isMatcher, sink });
  for (const verdict of verdicts)
    if (isFieldSet(message, verdict.field)) judgeField(verdict, message, sink);
}

function judgeField(verdict: FieldVerdict, message: Message, sink: PolicySink): void {
  const { field, inner, refusal, warning, mayBeFalse } = verdict;
  if (inner) {
    for (const value of messagesOf(field, message)) applyFieldPolicy(inner, value, sink);
    return;
  }
  if (mayBeFalse && valueOf(field, message) === false) return;
  const name = `${field.parent.typeName}.${field.name}`;
  if (refusal !== undefined) sink.refuse(`${name} is not supported: ${refusal}`);
  else sink.warn(name, warning ?? notBuilt);
}

function planOf(desc: DescMessage): MessagePlan {
  const known = plans.get(desc);
  if (known) return known;
  const table = tables.get(desc.typeName);
  const plan: MessagePlan =
    table === "whole"
      ? { isMatcher: false, verdicts: [] }
      : {
          isMatcher: table?.isMatcher === true,
          verdicts: desc.fields.flatMap((field) => verdictOf(field, table) ?? []),
        };
  plans.set(desc, plan);
  return plan;
}

function verdictOf(
  field: DescField,
  table: Exclude<FieldTable, "whole"> | undefined,
): FieldVerdict | undefined {
  const refusal = table?.refused?.[field.name];
  const warning = table?.warned?.[field.name];
  if (!table?.honoured.includes(field.name)) {
    const mayBeFalse = (refusal ?? warning) !== undefined;
    return { field, inner: undefined, refusal, warning, mayBeFalse };
  }
  const inner = field.message;
  if (!inner || inner.typeName.startsWith("google.protobuf.")) return undefined;
  return { field, inner, refusal, warning, mayBeFalse: false };
}

/** Fields that are newer than our protos: a matcher with one would match too much. */
function judgeUnknown(
  desc: DescMessage,
  message: Message,
  { isMatcher, sink }: { readonly isMatcher: boolean; readonly sink: PolicySink },
): void {
  if (tables.get(desc.typeName) === "whole") return;
  for (const { no } of message.$unknown ?? []) {
    const name = `${desc.typeName}.#${no}`;
    if (isMatcher) sink.refuse(`${name} is not supported: a field that is not known, in a matcher`);
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
