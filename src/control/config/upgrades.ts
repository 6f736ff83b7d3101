/** `upgrade_configs` of connection managers and routes: which upgrades are let through. */
import type { UpgradeConfig } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";

interface UpgradeMessage {
  readonly upgradeType: string;
  readonly enabled?: boolean | undefined;
}

/** Docs: `UpgradeConfig.enabled`, "defaults to true"; types are compared without regard to case. */
export function decodeUpgrades(
  configs: readonly UpgradeMessage[],
  field: string,
  context: DecodeContext,
): readonly UpgradeConfig[] {
  const upgrades = configs.map(({ upgradeType, enabled }) => ({
    type: upgradeType.toLowerCase(),
    isEnabled: enabled ?? true,
  }));
  if (upgrades.some(({ type }) => type === "connect-udp"))
    context.refuse("upgrade_type CONNECT-UDP is not built");
  if (upgrades.some(({ type }) => type === "connect"))
    context.warn(field, "CONNECT is not built: no route is found for it");
  return upgrades.filter(({ type }) => type !== "connect");
}
