/** Reads the bootstrap: `--config-path`, `--config-yaml` merged over it, the node completed from the flags. */
import { readFileSync } from "node:fs";
import { type HttpFilterModules, loadHttpFilters } from "../../shared/http-filter/load-filters.ts";
import type { Logger } from "../../shared/common/log.ts";
import { decodeBootstrap } from "../config/bootstrap.ts";
import { type LoadedBootstrap, createConfigTools } from "./config-decoders.ts";
import type { ServerOptions } from "./options.ts";

export type LoadResult =
  | { readonly ok: true; readonly loaded: LoadedBootstrap }
  | { readonly ok: false; readonly errors: readonly string[] };

export async function loadBootstrap(options: ServerOptions, log: Logger): Promise<LoadResult> {
  if (options.configPath === "" && options.configYaml === "")
    return failed("At least one of --config-path or --config-yaml should be non-empty");
  let text = "";
  if (options.configPath !== "") {
    try {
      text = readFileSync(options.configPath, "utf8");
    } catch {
      return failed(`Invalid path: ${options.configPath}`);
    }
  }
  let httpFilters: HttpFilterModules;
  try {
    httpFilters = await loadHttpFilters(options.httpFilterFiles);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
  const { tools, decoders } = createConfigTools(log, httpFilters);
  const result = decodeBootstrap(tools, {
    text,
    yaml: options.configYaml,
    allowUnknownFields: options.allowUnknownStaticFields,
    node: {
      id: options.serviceNode,
      cluster: options.serviceCluster,
      zone: options.serviceZone,
    },
  });
  if (!result.ok) return failed(...result.errors);
  decoders.warnings.report(result.warnings);
  return { ok: true, loaded: { bootstrap: result.value, decoders } };
}

function failed(...errors: string[]): LoadResult {
  return { ok: false, errors };
}
