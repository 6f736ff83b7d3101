/**
 * The types that the management server knows, in the order in which a change is pushed: make before break, what is
 * referred to before what refers to it. A type that is not here is served all the same, by its URL, after these.
 */
import { typeNameOf, typeUrlOf } from "../control/proto/type-url.ts";

export interface ServedType {
  /** `LDS`; of a type that we do not know, its message's name. */
  readonly shortName: string;
  readonly typeUrl: string;
  readonly messageName: string;
  /** The folder and the file name that hold such resources. */
  readonly folder: string;
  /** The field that names a resource. */
  readonly nameField: string;
  /** A client that names nothing gets all of them, and in state of the world takes a missing one for removed. */
  readonly isFullState: boolean;
  /** Others refer to it, so that removing it waits until they were sent and answered. */
  readonly isReferredTo: boolean;
  /** Asked for one by one, as a request needs it: a name that is not known has to be answered at once. */
  readonly isOnDemand: boolean;
}

type Trait = "isFullState" | "isReferredTo" | "isOnDemand";

function served(
  shortName: string,
  [messageName, folder, nameField = "name"]: readonly [string, string, string?],
  ...traits: readonly Trait[]
): ServedType {
  return {
    shortName,
    typeUrl: typeUrlOf(messageName),
    messageName,
    folder,
    nameField,
    isFullState: traits.includes("isFullState"),
    isReferredTo: traits.includes("isReferredTo"),
    isOnDemand: traits.includes("isOnDemand"),
  };
}

/**
 * xDS protocol, "Eventual consistency considerations". Scoped routes are wanted without names, and are full
 * state, though the protocol's text says that of listeners and clusters alone: that is how Envoy asks for them.
 */
export const servedTypes: readonly ServedType[] = [
  served("CDS", ["envoy.config.cluster.v3.Cluster", "clusters"], "isFullState", "isReferredTo"),
  served(
    "EDS",
    ["envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoints", "cluster_name"],
    "isReferredTo",
  ),
  served("SDS", ["envoy.extensions.transport_sockets.tls.v3.Secret", "secrets"], "isReferredTo"),
  served(
    "ECDS",
    ["envoy.config.core.v3.TypedExtensionConfig", "extension_configs"],
    "isReferredTo",
  ),
  served("LDS", ["envoy.config.listener.v3.Listener", "listeners"], "isFullState"),
  served(
    "SRDS",
    ["envoy.config.route.v3.ScopedRouteConfiguration", "scoped_routes"],
    "isFullState",
  ),
  served("RDS", ["envoy.config.route.v3.RouteConfiguration", "routes"]),
  served("VHDS", ["envoy.config.route.v3.VirtualHost", "virtual_hosts"], "isOnDemand"),
  served("RTDS", ["envoy.service.runtime.v3.Runtime", "runtime"]),
];

const byUrl = new Map(servedTypes.map((type) => [type.typeUrl, type]));

/** Also of a type that is not in the table. */
export function servedTypeOf(typeUrl: string): ServedType {
  return byUrl.get(typeUrl) ?? served(typeNameOf(typeUrl), [typeNameOf(typeUrl), typeUrl]);
}
/** By what people write: `LDS`, `listeners`, or a type URL; `undefined` for a word that is none of these. */
export function servedTypeNamed(word: string): ServedType | undefined {
  const wanted = word.toLowerCase();
  const known = servedTypes.find(
    ({ shortName, folder, messageName }) =>
      shortName.toLowerCase() === wanted || folder === wanted || messageName === word,
  );
  return known ?? (word.includes("/") ? servedTypeOf(word) : undefined);
}
