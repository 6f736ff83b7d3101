/** Responses that say what they should not, or whose bytes are none. Each fault changes one thing and no more. */
import type { Random } from "../../shared/common/random.ts";
import type { WrittenResource } from "../discovery-wire.ts";
import { servedTypes, servedTypeOf } from "../resource-types.ts";
import {
  brokenField,
  hugeField,
  invalidField,
  nameField,
  nestedGroups,
  withoutUtf8,
} from "./bad-bytes.ts";
import type { ContentKind, Fault } from "./fault.ts";
import { type Item, replanned, type StreamMemory } from "./item.ts";

interface Circumstances {
  readonly fault: Fault;
  readonly memory: StreamMemory;
  readonly random: Random;
}

type Spoiler = (item: Item, circumstances: Circumstances) => Item;

const spoilers: Readonly<Record<ContentKind, Spoiler>> = {
  wrong_nonce: (item, { memory }) => replanned(item, { nonce: memory.freshNonce() }),
  reused_nonce: (item, { memory }) => replanned(item, { nonce: memory.lastNonce }),
  wrong_type_url: (item) => replanned(item, { typeUrl: otherTypeThan(item) }),
  other_any: (item) => withFirst(item, (first) => [{ ...first, typeUrl: otherTypeThan(item) }]),
  duplicate_names: (item) => withFirst(item, (first) => [first, first]),
  // In delta the wrapper keeps the name. The resource gets a second one, which replaces the first.
  misnamed: (item) => withFirst(item, (first) => [joined(first, nameField(`not-${first.name}`))]),
  invalid_content: (item) => {
    const field = invalidField(servedTypeOf(item.planned.typeUrl));
    return withFirst(item, (first) => [joined(first, field)]);
  },
  broken_resource: (item) => withFirst(item, (first) => [joined(first, brokenField)]),
  huge_resource: (item) => withFirst(item, (first) => [joined(first, hugeField)]),
  deep_nesting: (item) => withFirst(item, (first) => [joined(first, nestedGroups())]),
  non_utf8_name: (item) => {
    const [first] = item.planned.resources;
    return damaged(item, (bytes) => withoutUtf8(bytes, first?.name ?? ""));
  },
  truncate: (item, { fault, random }) =>
    damaged(item, (bytes) => {
      const cut = fault.bytes ?? 1 + Math.floor(random.next() * (bytes.length - 1));
      return bytes.subarray(0, cut);
    }),
  garbage: (item) => damaged(item, () => Buffer.from("\x07 this is no protobuf")),
  huge_length: (item) => damaged(item, (bytes) => Buffer.concat([bytes, hugeField])),
};

export function spoiled(item: Item, kind: ContentKind, circumstances: Circumstances): Item {
  return spoilers[kind](item, circumstances);
}

function otherTypeThan({ planned }: Item): string {
  const other = servedTypes.find(({ typeUrl }) => typeUrl !== planned.typeUrl);
  return other?.typeUrl ?? "";
}

function damaged(item: Item, damage: (bytes: Buffer) => Buffer): Item {
  return { ...item, damage: (bytes) => damage(item.damage(bytes)) };
}

function withFirst(
  item: Item,
  change: (first: WrittenResource) => readonly WrittenResource[],
): Item {
  const [first, ...rest] = item.planned.resources;
  return first ? replanned(item, { resources: [...change(first), ...rest] }) : item;
}

/** As protobuf reads it, a field that comes again is added to the first, or replaces it. */
function joined(resource: WrittenResource, field: Uint8Array): WrittenResource {
  return { ...resource, bytes: Buffer.concat([resource.bytes ?? new Uint8Array(), field]) };
}
