/** `/server_info`: `envoy.admin.v3.ServerInfo`, with defaults printed as Envoy does. */
import { type AdminEndpoint, jsonResponse } from "./endpoint.ts";
import type { ServerState } from "./ready-endpoint.ts";

export interface ServerInfo {
  readonly version: string;
  readonly state: ServerState;
  readonly uptimeMs: number;
  /** Since the first generation started. */
  readonly allEpochsMs: number;
  /** `disabled` where there is no hot restart. */
  readonly hotRestartVersion: string;
  /** In proto names and JSON values, ready to print. */
  readonly commandLineOptions: Readonly<Record<string, unknown>>;
  readonly node: Readonly<Record<string, unknown>>;
}

export function serverInfoEndpoint(info: () => ServerInfo): AdminEndpoint {
  return {
    path: "/server_info",
    isMutation: false,
    help: "print server version/status information",
    handle() {
      const { version, state, uptimeMs, allEpochsMs, commandLineOptions, node } = info();
      const seconds = (ms: number): string => `${Math.floor(ms / 1000)}s`;
      return jsonResponse({
        version,
        state,
        uptime_current_epoch: seconds(uptimeMs),
        uptime_all_epochs: seconds(allEpochsMs),
        hot_restart_version: info().hotRestartVersion,
        command_line_options: commandLineOptions,
        node,
      });
    },
  };
}
