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
import { changedPaths } from "./changed-paths.ts";
import type { DecodedListener } from "./decoded-listener.ts";
import { liveManagerPaths } from "./live-fields.ts";
import { listenerTypeName } from "./listeners.ts";

export interface ListenerComparison {
  /** The same meaning: a version that needs no more than its bytes replaced. */
  equivalent(a: DecodedListener, b: DecodedListener): boolean;
  /** Nothing differs but the filter chains. */
  isFilterChainOnlyChange(a: DecodedListener, b: DecodedListener): boolean;
  /** Paths of what differs, by proto names and in the order of the proto (`changedPaths`). */
  changedFields(a: DecodedListener, b: DecodedListener): readonly string[];
  /** A field of a connection manager that open connections take up (`live-fields.ts`). */
  isLivePath(path: string): boolean;
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
    changedFields: (a, b) => changedPaths(protos, schema, read(a), read(b)),
    isLivePath: (path) => {
      const [, inFilter] = path.split(".typed_config.");
      return (
        inFilter !== undefined && liveManagerPaths.some((field) => isAtOrBelow(inFilter, field))
      );
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
