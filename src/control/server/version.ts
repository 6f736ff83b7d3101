/** What this build calls itself: in `--version`, `/server_info` and the node that xDS servers see. */
import packageJson from "../../../package.json" with { type: "json" };

export const versionNumber: string = packageJson.version;

/** In Envoy's five parts: revision, version, tree, build, TLS library. */
export function versionText(): string {
  return `sluice/${versionNumber}/Clean/RELEASE/Node-${process.versions.node}`;
}
