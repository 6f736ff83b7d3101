/** `/config_dump` with `resource`, `mask`, `name_regex` and `include_eds`. */
import { type ConfigDumpSource, dumpSections } from "./config-dump.ts";
import type { DumpedList, DumpSection, Json } from "./dump-values.ts";
import { type AdminEndpoint, type AdminResponse, jsonResponse, textResponse } from "./endpoint.ts";
import { type FieldMask, applyFieldMask, parseFieldMask } from "./field-mask.ts";
import { compileNameFilter } from "./name-filter.ts";

const typePrefix = "type.googleapis.com/envoy.admin.v3.";

export function configDumpEndpoint(source: ConfigDumpSource): AdminEndpoint {
  return {
    path: "/config_dump",
    isMutation: false,
    help: "dump current configs",
    parameters: [
      {
        name: "resource",
        help: "The repeated field to dump: dynamic_listeners, static_clusters, …",
      },
      { name: "mask", help: "Field mask; with resource it is applied to every element" },
      { name: "name_regex", help: "Only resources whose name matches (RE2)" },
      { name: "include_eds", help: "Include what EDS assigned" },
    ],
    handle({ query }) {
      const names = compileNameFilter(query.get("name_regex"));
      if (!names.ok) return textResponse(names.error, 400);
      const mask = parseFieldMask(query.get("mask"));
      const resource = query.get("resource");
      // A resource that is named is looked for everywhere.
      const sections = dumpSections(source, resource !== null || query.has("include_eds"));
      const kept = sections.map((section) => keepNames(section, names.matches));
      if (resource !== null) return dumpResource(kept, resource, mask);
      if (mask) return dumpMasked(kept, mask);
      const unsupported = source.unsupportedFields();
      return jsonResponse({
        configs: kept.map(sectionJson),
        ...(unsupported.length > 0 ? { unsupported_fields: unsupported } : {}),
      });
    },
  };
}

function keepNames(section: DumpSection, matches: (name: string) => boolean): DumpSection {
  const lists = section.lists.map((list) => ({
    ...list,
    resources: list.resources.filter(({ name }) => matches(name)),
  }));
  return { ...section, lists };
}

function dumpMasked(sections: readonly DumpSection[], mask: FieldMask): AdminResponse {
  const fits = sections.filter((section) =>
    mask.every(([first = ""]) => fieldsOf(section).includes(first)),
  );
  if (fits.length === 0) {
    const text = mask.map((path) => path.join(".")).join(",");
    return textResponse(`FieldMask ${text} could not be successfully applied to any configs.`, 400);
  }
  return jsonResponse({
    configs: fits.map((section) => applyFieldMask(sectionJson(section), mask)),
  });
}

function dumpResource(
  sections: readonly DumpSection[],
  resource: string,
  mask: FieldMask | undefined,
): AdminResponse {
  const masked = (json: Json): Json => (mask ? applyFieldMask(json, mask) : json);
  const single = sections.find((section) => isMessage(section.fields[resource]));
  if (single) return jsonResponse({ configs: [masked(sectionJson(single))] });
  const list = sections.flatMap(({ lists }) => lists).find(({ field }) => field === resource);
  if (!list) return textResponse(`${resource} not found in config dump`, 404);
  const elements = elementsOf(list, sections);
  return jsonResponse(elements.length > 0 ? { configs: elements.map(masked) } : {});
}

function elementsOf(list: DumpedList, sections: readonly DumpSection[]): readonly Json[] {
  const section = sections.find(({ lists }) => lists.includes(list));
  const type = `${typePrefix}${section?.type}.${list.elementType}`;
  return list.resources.map(({ json }) => ({ "@type": type, ...json }));
}

function sectionJson({ type, fields, lists }: DumpSection): Json {
  const filled = lists
    .filter(({ resources }) => resources.length > 0)
    .map(({ field, resources }) => [field, resources.map(({ json }) => json)] as const);
  return { "@type": `${typePrefix}${type}`, ...fields, ...Object.fromEntries(filled) };
}

/** The names that a mask may begin with. */
function fieldsOf({ fields, lists }: DumpSection): readonly string[] {
  return [...Object.keys(fields), "version_info", ...lists.map(({ field }) => field)];
}

function isMessage(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
