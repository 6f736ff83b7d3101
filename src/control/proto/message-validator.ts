/**
 * Checks messages against the `(validate.rules)` of their fields. Rules are compiled once per type, on
 * first use. Envoy stops at the first violation; here each is told, with its own chain of causes:
 * `ListenerValidationError.Address: embedded message failed validation | caused by …`.
 */
import { getOption, hasOption } from "@bufbuild/protobuf";
import type { DescExtension, DescField, DescMessage, DescOneof, Message } from "@bufbuild/protobuf";
import type { FieldRules } from "../../../gen/es/validate/validate_pb.d.ts";
import type { ProtoRegistry } from "./proto-registry.ts";
import { type Check, type Rules, checkOf, rulesOf } from "./rule-checks.ts";

/** Without a rule in it or below: by far the most messages, and nobody has to look into them. */
interface Compiled {
  readonly validate: Validate;
  /** False only once compiled to the end: a message that contains itself is looked into. */
  hasRules: boolean;
}

/** What nearly every value has: no list is made for it. */
const none: readonly string[] = [];

/** Violations of one message, each a chain that begins with this message's own field. */
type Validate = (message: Message) => readonly string[];

/** Violations beyond this many would not be read; a hostile message could have millions. */
const violationsMax = 100;

const embedded = "embedded message failed validation | caused by ";

export class MessageValidator {
  readonly #protos: ProtoRegistry;
  readonly #rules: DescExtension;
  readonly #required: DescExtension;
  readonly #disabled: DescExtension;
  readonly #compiled = new Map<DescMessage, Compiled>();

  constructor(protos: ProtoRegistry) {
    this.#protos = protos;
    this.#rules = protos.extension("validate.rules");
    this.#required = protos.extension("validate.required");
    this.#disabled = protos.extension("validate.disabled");
  }

  /** As Envoy words it, one text per violation: `Proto constraint validation failed (…)`. */
  validate(desc: DescMessage, message: Message): readonly string[] {
    return this.#compile(desc)
      .validate(message)
      .slice(0, violationsMax)
      .map((violation) => `Proto constraint validation failed (${violation})`);
  }

  #compile(desc: DescMessage): Compiled {
    const known = this.#compiled.get(desc);
    if (known) return known;
    const steps: Validate[] = [];
    // Set before the fields are compiled: messages may contain themselves.
    const compiled: Compiled = { validate: inOrder(steps), hasRules: true };
    this.#compiled.set(desc, compiled);
    const isSkipped = hasOption(desc, this.#disabled) && getOption(desc, this.#disabled) === true;
    if (!isSkipped && !desc.typeName.startsWith("google.protobuf.")) this.#addSteps(desc, steps);
    compiled.hasRules = steps.length > 0;
    return compiled;
  }

  #addSteps(desc: DescMessage, steps: Validate[]): void {
    for (const field of desc.fields) {
      const step = this.#field(field, `${desc.name}ValidationError.${pascalCase(field.name)}`);
      if (step) steps.push(step);
    }
    for (const oneof of desc.oneofs) {
      const isRequired =
        hasOption(oneof, this.#required) && getOption(oneof, this.#required) === true;
      if (isRequired) steps.push(requiredOneof(oneof));
    }
  }

  #field(field: DescField, name: string): Validate | undefined {
    const options = hasOption(field, this.#rules)
      ? (getOption(field, this.#rules) as FieldRules)
      : undefined;
    if (field.fieldKind === "list") return this.#list(field, name, options);
    if (field.fieldKind === "map") return this.#map(field, name, options);
    const check = this.#value(field, options);
    const read = readerOf(field);
    const isRequired = field.fieldKind === "message" && !field.oneof && requires(options);
    if (!check && !isRequired) return undefined;
    const hasPresence = field.fieldKind === "message" || field.oneof !== undefined;
    return (message) => {
      const value = read(message);
      if (value === undefined && isRequired) return [`${name}: value is required`];
      if (value === undefined && hasPresence) return none;
      const reasons = check?.(value) ?? none;
      return reasons.length === 0 ? none : reasons.map((reason) => `${name}: ${reason}`);
    };
  }

  #list(
    field: DescField & { fieldKind: "list" },
    name: string,
    options: FieldRules | undefined,
  ): Validate | undefined {
    const repeated = options?.type.case === "repeated" ? options.type.value : undefined;
    const whole = repeated ? listCheck(this.#own("validate.RepeatedRules", repeated)) : undefined;
    const item = this.#value(field, repeated?.items);
    if (!whole && !item) return undefined;
    const read = readerOf(field);
    return (message) => {
      const items = read(message) as readonly unknown[];
      const reason = whole?.(items);
      if (reason !== undefined) return [`${name}: ${reason}`];
      return item ? violationsIn(items, item, name) : none;
    };
  }

  #map(
    field: DescField & { fieldKind: "map" },
    name: string,
    options: FieldRules | undefined,
  ): Validate | undefined {
    const rules = options?.type.case === "map" ? options.type.value : undefined;
    const own: Rules = rules ? this.#own("validate.MapRules", rules) : new Map();
    const min = Number(own.get("min_pairs") ?? 0);
    const max = Number(own.get("max_pairs") ?? Infinity);
    const key = rules?.keys ? this.#scalar(rules.keys, field) : undefined;
    const value = this.#value(field, rules?.values);
    if (min === 0 && max === Infinity && !key && !value) return undefined;
    const read = readerOf(field);
    return (message) => {
      const entries = Object.entries(read(message) as Readonly<Record<string, unknown>>);
      if (entries.length < min) return [`${name}: value must contain at least ${min} pair(s)`];
      if (entries.length > max) return [`${name}: value must contain no more than ${max} pair(s)`];
      return entries.flatMap(([entryKey, entryValue]) => {
        const reasons = [key?.(entryKey) ?? [], value?.(entryValue) ?? []].flat();
        return reasons.map((reason) => `${name}[${entryKey}]: ${reason}`);
      });
    };
  }

  /** The rules of one value of a field: its own, then those of the message it holds. */
  #value(
    field: DescField,
    options: FieldRules | undefined,
  ): ((value: unknown) => readonly string[]) | undefined {
    const scalar = options ? this.#scalar(options, field) : undefined;
    const inner = field.message;
    if (!inner || options?.message?.skip === true || inner.typeName.startsWith("google.protobuf."))
      return scalar && ((value) => toList(scalar(unwrapped(value))));
    const compiled = this.#compile(inner);
    if (!compiled.hasRules) return scalar && ((value) => toList(scalar(value)));
    return (value) => {
      const reason = scalar?.(value);
      if (reason !== undefined) return [reason];
      const causes = compiled.validate(value as Message);
      return causes.length === 0 ? none : causes.map((cause) => embedded + cause);
    };
  }

  #scalar(options: FieldRules, field: DescField): Check | undefined {
    const { type } = options;
    if (type.case === undefined || type.case === "repeated" || type.case === "map")
      return undefined;
    const enumNumbers = new Set(field.enum?.values.map((value) => value.number));
    return checkOf(type.case, this.#own(type.value.$typeName, type.value), enumNumbers);
  }

  #own(typeName: string, rules: Message): Rules {
    const desc = this.#protos.find(typeName);
    return desc ? rulesOf(desc, rules) : new Map();
  }
}

function inOrder(steps: readonly Validate[]): Validate {
  return (message) => {
    let violations = none;
    for (const step of steps) {
      const found = step(message);
      if (found.length === 0) continue;
      violations = violations.length === 0 ? found : [...violations, ...found];
      if (violations.length >= violationsMax) break;
    }
    return violations;
  };
}

function violationsIn(
  items: readonly unknown[],
  check: (item: unknown) => readonly string[],
  name: string,
): readonly string[] {
  let violations = none;
  for (let i = 0; i < items.length; i++) {
    const reasons = check(items[i]);
    if (reasons.length === 0) continue;
    violations = [...violations, ...reasons.map((why) => `${name}[${i}]: ${why}`)];
    if (violations.length >= violationsMax) break;
  }
  return violations;
}

function requires(options: FieldRules | undefined): boolean {
  if (options?.message?.required === true) return true;
  const type = options?.type;
  const canRequire =
    type?.case === "any" || type?.case === "duration" || type?.case === "timestamp";
  return canRequire && type.value.required;
}

/** PGV's C++ names no class here. */
function requiredOneof(oneof: DescOneof): Validate {
  const violation = [`field: "${oneof.name}", reason: is required`];
  return (message) => {
    const { case: chosen } = member(message, oneof.localName) as { case: string | undefined };
    return chosen === undefined ? violation : none;
  };
}

function listCheck(rules: Rules): Check | undefined {
  const min = Number(rules.get("min_items") ?? 0);
  const max = Number(rules.get("max_items") ?? Infinity);
  const isUnique = rules.get("unique") === true;
  if (min === 0 && max === Infinity && !isUnique) return undefined;
  return (value) => {
    const items = value as readonly unknown[];
    if (items.length === 0 && rules.get("ignore_empty") === true) return undefined;
    if (items.length < min || items.length > max) return countReason(min, max);
    if (isUnique && new Set(items).size < items.length)
      return "repeated value must contain unique items";
    return undefined;
  };
}

function countReason(min: number, max: number): string {
  if (max === Infinity) return `value must contain at least ${min} item(s)`;
  if (min === 0) return `value must contain no more than ${max} item(s)`;
  return `value must contain between ${min} and ${max} items, inclusive`;
}

const member = (message: Message, name: string): unknown =>
  (message as unknown as Readonly<Record<string, unknown>>)[name];

function readerOf(field: DescField): (message: Message) => unknown {
  const { oneof, localName } = field;
  if (!oneof) return (message) => member(message, localName);
  return (message) => {
    const chosen = member(message, oneof.localName) as { case?: string; value?: unknown };
    return chosen.case === localName ? chosen.value : undefined;
  };
}

/** Wrapped scalars are plain in fields, and messages in oneofs and lists. */
function unwrapped(value: unknown): unknown {
  const isWrapper =
    typeof value === "object" && value !== null && "$typeName" in value && "value" in value;
  return isWrapper ? value.value : value;
}

const toList = (reason: string | undefined): readonly string[] =>
  reason === undefined ? none : [reason];

const pascalCase = (name: string): string =>
  name
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
