/** Puts the admin together: every endpoint with the view or control it needs, and the server where the bootstrap says. */
import { readHostCounts } from "../cluster/host-counters.ts";
import { writeFileSync } from "node:fs";
import { type SocketAddress, formatAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import { messageOf } from "../../shared/common/errors.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { StringMatcher } from "../../shared/config/matchers.ts";
import type { MainStats } from "../../shared/stats/stat-allocator.ts";
import type { StatStore } from "../../shared/stats/stat-store.ts";
import type { AdminGrpcServer } from "../admin/admin-grpc-server.ts";
import { createAdminRouter } from "../admin/admin-router.ts";
import { AdminServer } from "../admin/admin-server.ts";
import { createAdminStats } from "../admin/admin-stats.ts";
import type { ClientStatusServiceOptions } from "../admin/client-status-service.ts";
import { type CertsSource, certsEndpoint } from "../admin/certs-endpoint.ts";
import { clustersEndpoint } from "../admin/clusters-endpoint.ts";
import type { ConfigDumpSource } from "../admin/config-dump.ts";
import { configDumpEndpoint } from "../admin/config-dump-endpoint.ts";
import {
  drainsEndpoint,
  drainEndpoint,
  healthCheckFailEndpoint,
  healthCheckOkEndpoint,
} from "../admin/drain-endpoints.ts";
import { drainListenersEndpoint } from "../admin/drain-listeners-endpoint.ts";
import type { AnyEndpoint } from "../admin/endpoint.ts";
import { homeEndpoints } from "../admin/home-endpoints.ts";
import { initDumpEndpoint } from "../admin/init-dump-endpoint.ts";
import { listenersEndpoint } from "../admin/listeners-endpoint.ts";
import { type LogLevelControl, loggingEndpoint } from "../admin/logging-endpoint.ts";
import { type PlanSource, planEndpoint } from "../admin/plan-endpoint.ts";
import {
  type MemoryUse,
  hotRestartVersionEndpoint,
  memoryEndpoint,
  quitEndpoint,
  reopenLogsEndpoint,
} from "../admin/process-endpoints.ts";
import { type ServerState, readyEndpoint } from "../admin/ready-endpoint.ts";
import { resetCountersEndpoint } from "../admin/reset-counters-endpoint.ts";
import { runtimeEndpoint, runtimeModifyEndpoint } from "../admin/runtime-endpoint.ts";
import { type ServerInfo, serverInfoEndpoint } from "../admin/server-info-endpoint.ts";
import { statusEndpoint } from "../admin/status-endpoint.ts";
import { type StatSource, prometheusEndpoint, statsEndpoint } from "../admin/stats-endpoint.ts";
import type { AdminConfig } from "../config/bootstrap-config.ts";
import { stringTest } from "../../shared/tls/string-test.ts";
import type { RuntimeLoader } from "../runtime/runtime-loader.ts";
import type { DrainDesk } from "../listener/drain-desk.ts";

export interface AdminParts {
  readonly state: () => ServerState;
  readonly info: () => ServerInfo;
  readonly dump: ConfigDumpSource;
  readonly drains: { readonly desk: DrainDesk; readonly clock: Clock };
  readonly plans: PlanSource;
  /** Connections of listeners with DrainType default are asked to close, `/ready` says DRAINING. */
  readonly setHealthCheckFailed: (failed: boolean) => void;
  readonly logLevels: LogLevelControl;
  readonly store: StatStore;
  /** Sets what is only counted when somebody looks: memory, uptime, open circuit breakers. */
  readonly refreshStats: () => void;
  readonly runtime: Pick<RuntimeLoader, "snapshot" | "modify">;
  readonly certificates: CertsSource;
  readonly awaiting: () => readonly string[];
  readonly memory: () => MemoryUse;
  readonly reopenLogs: () => void;
  readonly quit: () => void;
}

export function adminEndpoints(parts: AdminParts): readonly AnyEndpoint[] {
  const { listeners, clusters } = parts.dump;
  const stats: StatSource = {
    snapshot(filter) {
      parts.refreshStats();
      return parts.store.snapshot(filter);
    },
  };
  return homeEndpoints([
    readyEndpoint(parts.state),
    serverInfoEndpoint(parts.info),
    listenersEndpoint(listeners),
    planEndpoint(parts.plans),
    clustersEndpoint(clusters, (block) => readHostCounts(parts.store, block)),
    configDumpEndpoint(parts.dump),
    statusEndpoint({
      ...parts.dump,
      controlPlanes: parts.dump.controlPlanes,
      drains: () => parts.drains.desk.list(),
    }),
    statsEndpoint(stats),
    prometheusEndpoint(stats),
    resetCountersEndpoint(parts.store),
    drainsEndpoint(parts.drains),
    drainEndpoint(parts.drains.desk),
    drainListenersEndpoint(parts.drains.desk),
    healthCheckFailEndpoint(parts.setHealthCheckFailed),
    healthCheckOkEndpoint(parts.setHealthCheckFailed),
    loggingEndpoint(parts.logLevels),
    runtimeEndpoint(() => parts.runtime.snapshot),
    runtimeModifyEndpoint((changes) => parts.runtime.modify(changes)),
    initDumpEndpoint({ listeners, clusters, server: parts.awaiting }),
    memoryEndpoint(parts.memory),
    hotRestartVersionEndpoint(() => parts.info().hotRestartVersion),
    certsEndpoint(parts.certificates),
    reopenLogsEndpoint(parts.reopenLogs),
    quitEndpoint(parts.quit),
  ]);
}

export interface AdminSetup {
  readonly config: AdminConfig;
  /** The socket of the process before, which is this one's from now on. */
  readonly takeSocket: (address: SocketAddress) => number | undefined;
  readonly allowedHosts: readonly string[];
  /** `--admin-address-path`; empty: not written. */
  readonly addressPath: string;
  readonly stats: MainStats;
  readonly log: Logger;
}

/** The admin, listening; undefined where the bootstrap gives it no address; or why it cannot start. */
export async function startAdmin(
  endpoints: readonly AnyEndpoint[],
  setup: AdminSetup,
): Promise<AdminServer | string | undefined> {
  const { config, log } = setup;
  if (!config.address) return undefined;
  const router = createAdminRouter(endpoints, pathFilter(config.allowPaths), (error) =>
    log.error(`admin endpoint failed: ${error instanceof Error ? error.stack : String(error)}`),
  );
  const result = await AdminServer.listen({
    address: config.address,
    descriptor: setup.takeSocket(config.address),
    allowedHosts: setup.allowedHosts,
    router,
    stats: createAdminStats(setup.stats),
  });
  if (!result.ok) return `admin: ${result.error}`;
  const address = formatAddress(result.server.address);
  log.info(`admin address: ${address}`);
  if (setup.addressPath === "") return result.server;
  try {
    writeFileSync(setup.addressPath, address);
    return result.server;
  } catch (error) {
    await result.server.close();
    return `cannot write --admin-address-path '${setup.addressPath}': ${messageOf(error)}`;
  }
}

export interface AdminGrpcSetup {
  /** Empty: not served. */
  readonly address: string;
  readonly clientStatus: ClientStatusServiceOptions;
  readonly drains: AdminParts["drains"];
}

/** The gRPC services, listening; undefined without `--admin-grpc-address`; or why they cannot start. */
export async function startAdminGrpc(
  { address, clientStatus, drains }: AdminGrpcSetup,
  log: Logger,
): Promise<AdminGrpcServer | string | undefined> {
  if (address === "") return undefined;
  // grpc-js and what it loads are for those who ask for it.
  const [{ AdminGrpcServer: Server }, { clientStatusService }, { drainService }] =
    await Promise.all([
      import("../admin/admin-grpc-server.ts"),
      import("../admin/client-status-service.ts"),
      import("../admin/drain-service.ts"),
    ]);
  const { protos } = clientStatus;
  const services = [clientStatusService(clientStatus), drainService({ ...drains, protos })];
  const server = await Server.listen({ address, protos, services });
  if (typeof server === "string") return `--admin-grpc-address: ${server}`;
  log.info(`admin gRPC address: ${server.address}`);
  return server;
}

/** `admin.allow_paths`: a path passes that matches any; none configured: all pass. */
function pathFilter(matchers: readonly StringMatcher[]): (path: string) => boolean {
  if (matchers.length === 0) return () => true;
  const tests = matchers.map(stringTest);
  return (path) => tests.some((test) => test(path));
}
