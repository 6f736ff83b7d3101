/** `/init_dump`: what the start-up and every warming listener or cluster still waits for. */
import type { ClustersView } from "../cluster/cluster-view.ts";
import type { ListenersView } from "../listener/listener-view.ts";
import { type AdminEndpoint, jsonResponse } from "./endpoint.ts";

export interface InitSource {
  readonly listeners: () => ListenersView;
  readonly clusters: () => ClustersView;
  /** Of the server itself: `LDS`, `CDS`. */
  readonly server: () => readonly string[];
}

export function initDumpEndpoint(source: InitSource): AdminEndpoint {
  return {
    path: "/init_dump",
    isMutation: false,
    help: "dump current init manager information (experimental)",
    parameters: [{ name: "mask", help: "listener, cluster or server: only these" }],
    handle({ query }) {
      const mask = query.get("mask") ?? "";
      const wants = (kind: string): boolean => mask === "" || mask.split(",").includes(kind);
      const dumps = [
        ...(wants("server") ? [{ name: "init manager Server", targets: source.server() }] : []),
        ...(wants("cluster") ? waiting("Cluster", source.clusters().clusters) : []),
        ...(wants("listener") ? waiting("Listener", source.listeners().listeners) : []),
      ].filter((dump) => dump.targets.length > 0);
      if (dumps.length === 0) return jsonResponse({});
      return jsonResponse({
        unready_targets_dumps: dumps.map(({ name, targets }) => ({ name, target_names: targets })),
      });
    },
  };
}

function waiting(
  kind: string,
  owners: readonly { readonly name: string; readonly awaiting: readonly string[] }[],
): readonly { readonly name: string; readonly targets: readonly string[] }[] {
  return owners.map(({ name, awaiting }) => ({
    name: `init manager ${kind} ${name}`,
    targets: awaiting,
  }));
}
