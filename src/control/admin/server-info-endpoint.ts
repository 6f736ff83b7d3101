/** `/server_info`: `envoy.admin.v3.ServerInfo`, with defaults printed as Envoy does. */
import { type AdminEndpoint, jsonResponse } from "./endpoint.ts";
import type { ServerState } from "./ready-endpoint.ts";

export interface ServerInfo {
  readonly version: string;
  readonly state: ServerState;
  readonly uptimeMs: number;
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
      const { version, state, uptimeMs, commandLineOptions, node } = info();
      const uptime = `${Math.floor(uptimeMs / 1000)}s`;
      return jsonResponse({
        version,
        state,
        uptime_current_epoch: uptime,
        uptime_all_epochs: uptime,
        hot_restart_version: "disabled",
        command_line_options: commandLineOptions,
        node,
      });
    },
  };
}
