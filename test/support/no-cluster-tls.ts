import type { ClusterTls } from "../../src/control/cluster/cluster-sockets.ts";

/** For managers of clusters in plain text alone. */
export const noClusterTls: ClusterTls = {
  acquire() {
    throw new Error("no cluster of this test speaks TLS");
  },
  refusalOf: () => undefined,
  checkRefusalOf: () => undefined,
  createClient() {
    throw new Error("no cluster of this test speaks TLS");
  },
};
