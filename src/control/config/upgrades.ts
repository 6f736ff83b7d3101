/**
 * `upgrade_configs` of connection managers and routes: which upgrades are let through, and whether a tunnel that CONNECT
 * asks for ends here. Types are compared without regard to case.
 */
import type { HttpConnectionManager_UpgradeConfig as ManagerUpgrade } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type { RouteAction_UpgradeConfig as RouteUpgrade } from "../../../gen/es/envoy/config/route/v3/route_components_pb.d.ts";
import type { ManagerUpgradeConfig } from "../../shared/config/http-config.ts";
import type { TunnelEnd, UpgradeConfig } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { decodeHttpFilters } from "./http-filters.ts";

interface UpgradeMessage {
  readonly upgradeType: string;
  readonly enabled?: boolean | undefined;
}

const connect = "connect";
/** By the numbers of the enum. */
const proxyVersions = ["v1", "v2"] as const;

export function decodeManagerUpgrades(
  configs: readonly ManagerUpgrade[],
  needs: ListenerNeeds,
  context: DecodeContext,
): readonly ManagerUpgradeConfig[] {
  const upgrades = decodeUpgrades(configs, context, (type) =>
    context.refuse(`Error: multiple upgrade configs with the same name: '${type}'`),
  );
  return upgrades.map((upgrade, i) => {
    const messages = configs[i]?.filters ?? [];
    if (messages.length === 0) return upgrade;
    return { ...upgrade, filters: decodeHttpFilters(messages, needs, context, "http upgrade") };
  });
}

export function decodeRouteUpgrades(
  configs: readonly RouteUpgrade[],
  context: DecodeContext,
): readonly UpgradeConfig[] {
  for (const { upgradeType, connectConfig } of configs) {
    if (connectConfig && upgradeType.toLowerCase() !== connect)
      context.refuse(`Non-CONNECT upgrade type ${upgradeType} has ConnectConfig`);
  }
  return decodeUpgrades(configs, context, (type) => context.refuse(`Duplicate upgrade ${type}`));
}

/** Undefined: CONNECT is passed on as such. */
export function decodeTunnelEnd(configs: readonly RouteUpgrade[]): TunnelEnd | undefined {
  const own = configs.find(({ upgradeType }) => upgradeType.toLowerCase() === connect);
  if (own?.connectConfig === undefined) return undefined;
  const { allowPost, proxyProtocolConfig } = own.connectConfig;
  const proxyProtocol = proxyProtocolConfig && proxyVersions[proxyProtocolConfig.version];
  return { allowsPost: allowPost, ...(proxyProtocol && { proxyProtocol }) };
}

/** Docs: `UpgradeConfig.enabled`, "defaults to true". */
function decodeUpgrades(
  configs: readonly UpgradeMessage[],
  context: DecodeContext,
  onDuplicate: (type: string) => void,
): readonly UpgradeConfig[] {
  const seen = new Set<string>();
  return configs.map(({ upgradeType, enabled }) => {
    const type = upgradeType.toLowerCase();
    if (type === "connect-udp") context.refuse("upgrade_type CONNECT-UDP is not built");
    if (seen.has(type)) onDuplicate(upgradeType);
    seen.add(type);
    return { type, isEnabled: enabled ?? true };
  });
}
