/**
 * Where two messages differ, as paths of proto names: `filter_chains[0].filters[0].typed_config.route_config`. Indexes
 * are those of the newer one.
 *
 * What a newcomer would get wrong: a path ends at the field that a person would look for. Only the fields that name a
 * place (a filter chain, a filter) are entered; a route configuration that differs is one path, not a hundred.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { readBinary } from "../proto/binary.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { typeNameOf } from "../proto/type-url.ts";
import { hashOf, makeCanonical } from "./canonical.ts";

const entered: ReadonlySet<string> = new Set([
  "filter_chains",
  "default_filter_chain",
  "filters",
  "typed_config",
  "http_filters",
  "common_http_protocol_options",
  "http_protocol_options",
  "transport_socket",
]);

type Members = Record<string, unknown>;

/** In the order of the proto. */
export function changedPaths(
  protos: ProtoRegistry,
  desc: DescMessage,
  before: Message,
  after: Message,
): readonly string[] {
  return [...new PathFinder(protos).inMessage(desc, before, after, "")];
}

class PathFinder {
  readonly #protos: ProtoRegistry;

  constructor(protos: ProtoRegistry) {
    this.#protos = protos;
  }

  *inMessage(desc: DescMessage, a: Message, b: Message, prefix: string): Iterable<string> {
    for (const field of desc.fields) {
      if (contentOf(field, desc, a) === contentOf(field, desc, b)) continue;
      const path = `${prefix}${field.name}`;
      yield* this.#inField(field, valueOf(field, a), valueOf(field, b), path);
    }
  }

  *#inField(field: DescField, a: unknown, b: unknown, path: string): Iterable<string> {
    const inner = field.message;
    if (!inner || !entered.has(field.name) || a === undefined || b === undefined) yield path;
    else if (field.fieldKind === "list")
      yield* this.#inList(inner, a as readonly Message[], b as readonly Message[], path);
    else yield* this.#inValue(inner, a as Message, b as Message, path);
  }

  *#inValue(desc: DescMessage, a: Message, b: Message, path: string): Iterable<string> {
    if (desc.typeName !== "google.protobuf.Any") {
      yield* this.inMessage(desc, a, b, `${path}.`);
      return;
    }
    const [before, after] = [a as Any, b as Any];
    const known = this.#protos.find(typeNameOf(after.typeUrl));
    if (!known || before.typeUrl !== after.typeUrl) {
      yield path;
      return;
    }
    const content = this.#protos.schema(known.typeName);
    // What nobody here has wanted to read (an optional filter that is not built) need not be what it says.
    const [old, next] = [readBinary(content, before.value), readBinary(content, after.value)];
    if (old.ok && next.ok) yield* this.inMessage(content, old.value, next.value, `${path}.`);
    else yield path;
  }

  /** What both have is left out, wherever it stands; the rest is compared in its order where that can be. */
  *#inList(
    desc: DescMessage,
    a: readonly Message[],
    b: readonly Message[],
    path: string,
  ): Iterable<string> {
    const [before, after] = [a, b].map((list) => list.map((one) => textOf(desc, one)));
    const left = indexesOutside(before ?? [], after ?? []);
    const right = indexesOutside(after ?? [], before ?? []);
    if (right.length === 0) yield path;
    for (const [place, index] of right.entries()) {
      const old = left.length === right.length ? a[left[place] as number] : undefined;
      const at = `${path}[${index}]`;
      if (old) yield* this.#inValue(desc, old, b[index] as Message, at);
      else yield at;
    }
  }
}

/** Places in `list` of what `other` lacks. */
function indexesOutside(list: readonly string[], other: readonly string[]): readonly number[] {
  const known = new Set(other);
  return [...list.keys()].filter((index) => !known.has(list[index] as string));
}

function valueOf(field: DescField, message: Message): unknown {
  const members = message as unknown as Members;
  if (!field.oneof) return members[field.localName];
  const chosen = members[field.oneof.localName] as { case?: string; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

/** A text that is equal for equal contents of one field: the hash of a message that has nothing else. */
function contentOf(field: DescField, desc: DescMessage, message: Message): string {
  const value = valueOf(field, message);
  if (value === undefined) return "";
  const only = create(desc) as unknown as Members;
  if (field.oneof) only[field.oneof.localName] = { case: field.localName, value };
  else only[field.localName] = value;
  return hashOf(desc, only as unknown as Message);
}

function textOf(desc: DescMessage, message: Message): string {
  makeCanonical(desc, message, { isSet: () => false, visit: () => {} });
  return Buffer.from(toBinary(desc, message)).toString("latin1");
}
