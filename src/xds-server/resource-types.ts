/** The types that the management server serves, in the order in which a change is pushed. */
export interface ServedType {
  readonly shortName: "CDS" | "EDS" | "LDS" | "RDS";
  readonly typeUrl: string;
  readonly messageName: string;
  /** The folder and the file name that hold such resources. */
  readonly folder: string;
  /** The field that names a resource. */
  readonly nameField: "name" | "cluster_name";
  /** A client gets all of them and takes a missing one for removed. */
  readonly isFullState: boolean;
}

const served = (
  shortName: ServedType["shortName"],
  messageName: string,
  folder: string,
): ServedType => ({
  shortName,
  typeUrl: `type.googleapis.com/${messageName}`,
  messageName,
  folder,
  nameField: shortName === "EDS" ? "cluster_name" : "name",
  isFullState: shortName === "CDS" || shortName === "LDS",
});

/** Make before break: clusters are there before the routes that name them. */
export const servedTypes: readonly ServedType[] = [
  served("CDS", "envoy.config.cluster.v3.Cluster", "clusters"),
  served("EDS", "envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoints"),
  served("LDS", "envoy.config.listener.v3.Listener", "listeners"),
  served("RDS", "envoy.config.route.v3.RouteConfiguration", "routes"),
];
