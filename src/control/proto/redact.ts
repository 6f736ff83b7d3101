/**
 * Takes out of a message in JSON what its proto marks as sensitive (`udpa.annotations.sensitive`): private keys,
 * passwords, ticket keys, generic secrets. What is marked keeps its shape, and its texts become `[redacted]`
 * (Envoy: `MessageUtil::redact`). It works on JSON since Anys are open there: no dump decodes anything twice.
 */
import { getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import type { DescExtension, DescField, DescMessage } from "@bufbuild/protobuf";
import type { ProtoRegistry } from "./proto-registry.ts";
import { typeNameOf } from "./type-url.ts";

type Json = Record<string, unknown>;

const redacted = "[redacted]";
/** As proto3 JSON has bytes. */
const redactedBytes = Buffer.from(redacted).toString("base64");

/** A field that is sensitive, or may hold one that is. */
interface Plan {
  readonly field: DescField;
  readonly isSensitive: boolean;
}

export class Redaction {
  readonly #protos: ProtoRegistry;
  readonly #sensitive: DescExtension;
  readonly #plans = new Map<DescMessage, readonly Plan[]>();

  constructor(protos: ProtoRegistry) {
    this.#protos = protos;
    this.#sensitive = protos.extension("udpa.annotations.sensitive");
  }

  /** Changes `json` in place: a message of the type, with the field names of the .proto files. */
  apply(desc: DescMessage, json: unknown): void {
    if (!isObject(json)) return;
    if (desc.typeName === "google.protobuf.Any") return this.#applyAny(json);
    for (const { field, isSensitive } of this.#planOf(desc)) {
      const value = json[field.name];
      if (value === undefined) continue;
      if (isSensitive) json[field.name] = hidden(field, value);
      else if (field.message)
        for (const each of elementsOf(field, value)) this.apply(field.message, each);
    }
  }

  #applyAny(json: Json): void {
    const typeUrl = json["@type"];
    const desc = typeof typeUrl === "string" ? this.#protos.find(typeNameOf(typeUrl)) : undefined;
    if (desc) this.apply(desc, json);
  }

  #planOf(desc: DescMessage): readonly Plan[] {
    const known = this.#plans.get(desc);
    if (known) return known;
    const plan = desc.fields.flatMap((field): readonly Plan[] => {
      if (hasOption(field, this.#sensitive) && getOption(field, this.#sensitive) === true)
        return [{ field, isSensitive: true }];
      const inner = field.message;
      const isPlain = !inner || (inner.typeName.startsWith("google.protobuf.") && !isAny(inner));
      return isPlain ? [] : [{ field, isSensitive: false }];
    });
    this.#plans.set(desc, plan);
    return plan;
  }
}

const isAny = (desc: DescMessage): boolean => desc.typeName === "google.protobuf.Any";

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function elementsOf(field: DescField, value: unknown): readonly unknown[] {
  if (field.fieldKind === "list") return Array.isArray(value) ? value : [];
  if (field.fieldKind === "map") return isObject(value) ? Object.values(value) : [];
  return [value];
}

function hidden(field: DescField, value: unknown): unknown {
  if (field.fieldKind === "list") return (value as unknown[]).map((one) => hiddenOne(field, one));
  if (field.fieldKind === "map")
    return Object.fromEntries(
      Object.entries(value as Json).map(([key, one]) => [key, hiddenOne(field, one)]),
    );
  return hiddenOne(field, value);
}

/** Of a message all that it holds, and its fields that are no texts are left out. */
function hiddenOne(field: DescField, value: unknown): unknown {
  const { message } = field;
  if (!message) return field.scalar === ScalarType.BYTES ? redactedBytes : redacted;
  if (message.typeName.startsWith("google.protobuf.")) return {};
  const fields = isObject(value)
    ? Object.entries(value).flatMap(([name, one]): readonly [string, unknown][] => {
        const inner = message.fields.find((each) => each.name === name);
        if (
          !inner ||
          (!inner.message &&
            inner.scalar !== ScalarType.STRING &&
            inner.scalar !== ScalarType.BYTES)
        )
          return [];
        return [[name, hidden(inner, one)]];
      })
    : [];
  return Object.fromEntries(fields);
}
