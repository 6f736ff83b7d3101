/** `/stats` in text, JSON and Prometheus, filtered. */
import { formatPrometheus } from "../../shared/stats/prometheus-text.ts";
import { formatStatJson } from "../../shared/stats/stat-json.ts";
import {
  type StatFilter,
  type StatSnapshot,
  filterSnapshot,
  statTypes,
} from "../../shared/stats/stat-snapshot.ts";
import { formatStatText } from "../../shared/stats/stat-text.ts";
import {
  type AdminEndpoint,
  type AdminParameter,
  type AdminResponse,
  plainText,
  textResponse,
} from "./endpoint.ts";
import { compileNameFilter } from "./name-filter.ts";

export interface StatSource {
  /** At least what the filter's names ask for. */
  snapshot(filter?: Pick<StatFilter, "matches">): StatSnapshot;
}

const filterParameters: readonly AdminParameter[] = [
  { name: "usedonly", help: "Only include stats that have been written since the start" },
  { name: "filter", help: "Regular expression (RE2) for names" },
  { name: "invert_filter", help: "Invert the filter" },
];

export function statsEndpoint(source: StatSource): AdminEndpoint {
  return {
    path: "/stats",
    isMutation: false,
    help: "print server stats",
    parameters: [
      ...filterParameters,
      { name: "format", help: "Format to use", oneOf: ["text", "json", "prometheus"] },
      { name: "type", help: "Stat types to include", oneOf: statTypes },
    ],
    handle({ query }) {
      const format = query.get("format") ?? "text";
      if (format === "html" || format === "active-html")
        return textResponse(`format ${format} is not built, use text, json or prometheus\n`, 400);
      if (format !== "text" && format !== "json" && format !== "prometheus")
        return textResponse("usage: /stats?format=(json|prometheus|text)\n\n", 400);
      return withFilter(query, (filter) => {
        const snapshot = filterSnapshot(source.snapshot(filter), filter);
        if (format === "prometheus") return prometheusResponse(snapshot, query);
        if (format === "text") return textResponse(formatStatText(snapshot));
        return { status: 200, contentType: "application/json", body: formatStatJson(snapshot) };
      });
    },
  };
}

export function prometheusEndpoint(source: StatSource): AdminEndpoint {
  return {
    path: "/stats/prometheus",
    isMutation: false,
    help: "print server stats in prometheus format",
    parameters: [
      ...filterParameters,
      { name: "text_readouts", help: "Render text readouts as gauges of value 0" },
    ],
    handle: ({ query }) =>
      withFilter(query, (filter) =>
        prometheusResponse(filterSnapshot(source.snapshot(filter), filter), query),
      ),
  };
}

function prometheusResponse(snapshot: StatSnapshot, query: URLSearchParams): AdminResponse {
  const body = formatPrometheus(snapshot, { textReadouts: query.has("text_readouts") });
  return { status: 200, contentType: plainText, body };
}

function withFilter(
  query: URLSearchParams,
  respond: (filter: StatFilter) => AdminResponse,
): AdminResponse {
  const type = statTypes.find((known) => known === (query.get("type") ?? "All"));
  if (!type) return textResponse("invalid &type= param", 400);
  const names = compileNameFilter(query.get("filter"), query.has("invert_filter"));
  if (!names.ok) return textResponse(names.error, 400);
  return respond({ usedOnly: query.has("usedonly"), type, matches: names.matches });
}
