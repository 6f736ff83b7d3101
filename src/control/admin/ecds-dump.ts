/** The filter configurations of `/config_dump`, as they came by ECDS. */
import type { ExtensionView } from "../listener/ecds-api.ts";
import { type DumpSection, dumpedAny, type RenderMessage, timestamp } from "./dump-values.ts";

/** Like Envoy's it is left out where there is none. */
export function ecdsSections(
  views: readonly ExtensionView[],
  render: RenderMessage,
): readonly DumpSection[] {
  if (views.length === 0) return [];
  const resources = views.map(({ name, version, bytes, lastUpdatedMs }) => ({
    name,
    json: {
      version_info: version,
      ecds_filter: dumpedAny(render, "envoy.config.core.v3.TypedExtensionConfig", bytes),
      last_updated: timestamp(lastUpdatedMs),
    },
  }));
  const list = { field: "ecds_filters", elementType: "EcdsFilterConfig", resources };
  return [{ type: "EcdsConfigDump", fields: {}, lists: [list] }];
}
