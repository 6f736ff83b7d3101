/**
 * Where a cluster's hosts come from, as one idea: something that gives hosts now and then until it is disposed. The
 * first hosts make the cluster warm.
 */
import type { Observable } from "rxjs";
import type { LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import type { AssignmentView } from "./cluster-view.ts";

export interface HostSource extends Disposable {
  /** `eds <name>`, `dns <host>`: what the first hosts wait for. */
  readonly awaiting: readonly string[];
  /** The last assignment by EDS. */
  readonly assignment: AssignmentView | undefined;
  /** Begins; the first hosts may come before this returns. */
  start(): void;
}

export interface EndpointSubscription {
  readonly clusterName: string;
  /** `service_name`, or the cluster's name. */
  readonly serviceName: string;
  readonly source: ConfigSource | undefined;
  /** `cluster.<name>.`, for the subscription's stats. */
  readonly statPrefix: string;
}

/** Where assignments come from: chosen by the subscription's source when the server is put together. */
export type EndpointSource = (
  subscription: EndpointSubscription,
) => Observable<ResourceState<LoadAssignment>>;
