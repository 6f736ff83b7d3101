/**
 * How two versions of a listener differ. What decides is what they mean here: the domain values, where
 * defaults are filled in and sets are in one order. So a change of a comment in the metadata, of a
 * default written out, or of the order of filter chains disturbs nothing. (Envoy compares the messages,
 * with repeated fields as sets: `ListenerMessageUtil::filterChainOnlyChange`.)
 */
import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import type { DescField } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import { assert } from "../../shared/common/assert.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import { readBinary } from "../proto/binary.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { hashOf } from "./canonical.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import { listenerTypeName } from "./listeners.ts";

export interface ListenerComparison {
  /** The same meaning: a version that needs no more than its bytes replaced. */
  equivalent(a: DecodedListener, b: DecodedListener): boolean;
  /** Nothing differs but the filter chains. */
  isFilterChainOnlyChange(a: DecodedListener, b: DecodedListener): boolean;
  /** Top-level fields that differ, by their proto names, in the order of the proto. */
  changedFields(a: DecodedListener, b: DecodedListener): readonly string[];
}

const chainFields: readonly (keyof ListenerConfig)[] = ["filterChains", "defaultFilterChain"];

export function createListenerComparison(protos: ProtoRegistry): ListenerComparison {
  const schema = protos.schema<Listener>(listenerTypeName);
  const read = ({ bytes }: DecodedListener): Listener => {
    const message = readBinary(schema, bytes);
    assert(message.ok, "a listener that was decoded before");
    return message.value;
  };
  return {
    equivalent: (a, b) =>
      a.hash === b.hash ||
      (isDeepStrictEqual(a.dependencies, b.dependencies) &&
        differingKeys(a.config, b.config).length === 0),
    isFilterChainOnlyChange: (a, b) =>
      differingKeys(a.config, b.config).every((key) => chainFields.includes(key)),
    changedFields: (a, b) => {
      const [before, after] = [read(a), read(b)];
      return schema.fields
        .filter((field) => contentOf(field, schema, before) !== contentOf(field, schema, after))
        .map((field) => field.name);
    },
  };
}

function differingKeys(a: ListenerConfig, b: ListenerConfig): readonly (keyof ListenerConfig)[] {
  const keys = Object.keys(a) as (keyof ListenerConfig)[];
  return keys.filter((key) =>
    key === "filterChains" ? chainIds(a) !== chainIds(b) : !isDeepStrictEqual(a[key], b[key]),
  );
}

/** Chains are found by their criteria, never by their place. */
const chainIds = (config: ListenerConfig): string =>
  config.filterChains
    .map((chain) => chain.id)
    .sort()
    .join();

/** A text that is equal for equal contents of one field: the hash of a listener that has nothing else. */
function contentOf(field: DescField, schema: GenMessage<Listener>, message: Listener): string {
  const only: Listener = create(schema);
  const name = (field.oneof?.localName ?? field.localName) as "name";
  only[name] = message[name];
  return hashOf(schema, only);
}
