import jspb from "google-protobuf";
import type { DecodedCluster } from "../../src/control/config/decoded-cluster.ts";
import type { DecodedListener } from "../../src/control/config/decoded-listener.ts";
import type { DecodedRouteConfig } from "../../src/control/config/decoded-route-config.ts";
import type { ResourceType } from "../../src/control/xds/resource-batch.ts";
import type { LoadAssignment } from "../../src/shared/config/cluster-config.ts";
import { noHeaderMutations, type VirtualHost } from "../../src/shared/config/route-config.ts";
import { assignment, type ClusterSketch, decodedCluster } from "../support/cluster-builders.ts";
import { decodedListener, decodedRoutes, type ListenerSketch } from "../support/config-builders.ts";
import { textResource } from "../support/text-resources.ts";

/**
 * Resource types whose bytes are a name and a sketch as text. Decoding costs next to nothing, so that a
 * seed costs what the managers and the client cost.
 */
export const clusters = sketchType<DecodedCluster>("CDS", "Cluster", (sketch, bytes) => ({
  ...decodedCluster(sketch as ClusterSketch),
  bytes,
}));

export const listeners = sketchType<DecodedListener>("LDS", "Listener", (sketch, bytes) => ({
  ...decodedListener(sketch as ListenerSketch),
  bytes,
}));

export interface RouteSketch {
  readonly name: string;
  readonly clusters: readonly string[];
  readonly validateClusters: boolean;
}

export const routes = sketchType<DecodedRouteConfig>("RDS", "Routes", (sketch, bytes) => {
  const { name, clusters: names, validateClusters } = sketch as RouteSketch;
  const decoded = decodedRoutes(name, names);
  const config = { ...decoded.config, virtualHosts: names.map(virtualHost) };
  return { ...decoded, config, validateClusters, bytes };
});

export interface EndpointSketch {
  readonly name: string;
  readonly hosts: readonly string[];
}

export const endpoints = sketchType<LoadAssignment>("EDS", "Endpoints", (sketch) => {
  const { name, hosts } = sketch as EndpointSketch;
  return assignment(name, hosts);
});

/** In the order in which a careful server sends them. */
export const sketchTypes = [clusters, endpoints, listeners, routes] as const;

interface Named {
  readonly name: string;
  /** Does not decode. */
  readonly isBad?: boolean;
}

export function sketchBytes(sketch: Named): Uint8Array {
  return textResource(sketch.name, JSON.stringify(sketch));
}

/** One for each cluster that the routes name, so that a worker's table tells them. */
function virtualHost(cluster: string): VirtualHost {
  return {
    name: cluster,
    domains: [cluster],
    routes: [],
    requestHeaders: noHeaderMutations,
    responseHeaders: noHeaderMutations,
    requireTls: "none",
  };
}

function sketchType<T>(
  shortName: string,
  noun: string,
  read: (sketch: object, bytes: Uint8Array) => T,
): ResourceType<T> {
  return {
    shortName,
    typeUrl: `type.googleapis.com/sketch.${noun}`,
    isFullState: shortName === "CDS" || shortName === "LDS",
    decode(bytes) {
      const sketch = JSON.parse(textOf(bytes)) as Named;
      if (sketch.isBad) return { ok: false, errors: [`${sketch.name} is bad`] };
      return { ok: true, value: read(sketch, bytes), warnings: [] };
    },
  };
}

function textOf(bytes: Uint8Array): string {
  const reader = new jspb.BinaryReader(bytes);
  while (reader.nextField()) {
    if (reader.getFieldNumber() === 2) return reader.readString();
    reader.skipField();
  }
  return "{}";
}
