/**
 * How two versions of a listener differ. What decides is what they mean here: the domain values, where
 * defaults are filled in and sets are in one order. So a change of a comment in the metadata, of a
 * default written out, or of the order of filter chains disturbs nothing. (Envoy compares the messages,
 * with repeated fields as sets: `ListenerMessageUtil::filterChainOnlyChange`.)
 */
import { isDeepStrictEqual } from "node:util";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import { assert } from "../../shared/common/assert.ts";
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import { readBinary } from "../proto/binary.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { listenerPartsOf, withoutChains } from "./chain-bytes.ts";
import { changedPaths } from "./changed-paths.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import { liveManagerPaths } from "./live-fields.ts";
import { listenerTypeName } from "./listeners.ts";

export interface ListenerComparison {
  /** The same meaning: a version that needs no more than its bytes replaced. */
  equivalent(a: DecodedListener, b: DecodedListener): boolean;
  /** Nothing differs but the filter chains, and how one of them is found. */
  isFilterChainOnlyChange(a: DecodedListener, b: DecodedListener): boolean;
  /** Paths of what differs, by proto names and in the order of the proto (`changedPaths`). */
  changedFields(a: DecodedListener, b: DecodedListener): readonly string[];
  /** A field of a connection manager that open connections take up (`live-fields.ts`). */
  isLivePath(path: string): boolean;
}

/** Envoy counts the matcher among them: it tells new connections apart, and nothing else. */
const chainFields: readonly (keyof ListenerConfig)[] = [
  "filterChains",
  "defaultFilterChain",
  "chainMatcher",
];

export function createListenerComparison(protos: ProtoRegistry): ListenerComparison {
  const schema = protos.schema<Listener>(listenerTypeName);
  const read = (bytes: Uint8Array): Listener => {
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
    changedFields(a, b) {
      const { before, after, places } = differingParts(a.bytes, b.bytes);
      const paths = changedPaths(protos, schema, read(before), read(after));
      return paths.map((path) => atPlace(path, places));
    },
    isLivePath: (path) => {
      const [, inFilter] = path.split(".typed_config.");
      return (
        inFilter !== undefined && liveManagerPaths.some((field) => isAtOrBelow(inFilter, field))
      );
    },
  };
}

interface DifferingParts {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Of the filter chains of `after`, in the whole listener; absent: it is the whole listener. */
  readonly places?: readonly number[];
}

/** Without the filter chains that both have: of many, they are most. */
function differingParts(before: Uint8Array, after: Uint8Array): DifferingParts {
  const [old, next] = [listenerPartsOf(before), listenerPartsOf(after)];
  if (!old || !next) return { before, after };
  const oldKeys = new Set(old.chains.map(({ key }) => key));
  const nextKeys = new Set(next.chains.map(({ key }) => key));
  const places = [...next.chains.keys()].filter(
    (place) => !oldKeys.has(next.chains[place]?.key ?? ""),
  );
  return {
    before: withoutChains(old, ({ key }) => nextKeys.has(key)),
    after: withoutChains(next, ({ key }) => oldKeys.has(key)),
    places,
  };
}

function atPlace(path: string, places: readonly number[] | undefined): string {
  return path.replace(/^filter_chains\[(\d+)\]/, (same, index: string) =>
    places ? `filter_chains[${places[Number(index)]}]` : same,
  );
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
    .map((chain) => `${chain.id} ${chain.revision}`)
    .sort()
    .join();

/** `http_filters[1].typed_config` is below `http_filters`. */
function isAtOrBelow(path: string, field: string): boolean {
  return (
    path === field ||
    ([".", "["].includes(path.slice(field.length, field.length + 1)) && path.startsWith(field))
  );
}
