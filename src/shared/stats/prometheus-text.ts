/**
 * `/stats/prometheus`: exposition format 0.0.4 as Envoy writes it: `envoy_` before every name that is
 * not our own, tags as labels, samples of one metric together under one TYPE line.
 */
import { histogramBounds } from "./stat-group.ts";
import type { HistogramValue, StatSnapshot } from "./stat-snapshot.ts";
import { extractTags } from "./stat-tags.ts";

export interface PrometheusOptions {
  /** Show text readouts as gauges of 0 with the text as a label (`?text_readouts`). */
  readonly textReadouts: boolean;
}

interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: string[];
}

export function formatPrometheus(snapshot: StatSnapshot, options: PrometheusOptions): string {
  const scalars = (stats: StatSnapshot["counters"], type: Metric["type"]): string =>
    render(type, stats, ({ value }, metric, labels) => [`${metric}{${labels}} ${value}`]);
  const texts = options.textReadouts
    ? render("gauge", snapshot.textReadouts, ({ value }, metric, labels) => [
        `${metric}{${joined(labels, `text_value="${escapeLabel(value)}"`)}} 0`,
      ])
    : "";
  return (
    scalars(snapshot.counters, "counter") +
    scalars(snapshot.gauges, "gauge") +
    texts +
    render("histogram", snapshot.histograms, histogramLines)
  );
}

function render<Stat extends { readonly name: string }>(
  type: Metric["type"],
  stats: readonly Stat[],
  linesOf: (stat: Stat, metric: string, labels: string) => readonly string[],
): string {
  const metrics = new Map<string, string[]>();
  for (const stat of stats) {
    const { name, tags } = extractTags(stat.name);
    const metric = metricName(name);
    const labels = tags.map(([tag, value]) => `${sanitize(tag)}="${escapeLabel(value)}"`);
    const lines = metrics.get(metric) ?? [];
    lines.push(...linesOf(stat, metric, labels.join(",")));
    metrics.set(metric, lines);
  }
  return [...metrics]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([metric, lines]) => `# TYPE ${metric} ${type}\n${lines.join("\n")}\n`)
    .join("");
}

function histogramLines(stat: HistogramValue, metric: string, labels: string): string[] {
  let cumulative = 0;
  const buckets = stat.buckets.map((count, i) => {
    cumulative += count;
    const bound = histogramBounds[i] ?? "+Inf";
    return `${metric}_bucket{${joined(labels, `le="${bound}"`)}} ${cumulative}`;
  });
  return [
    ...buckets,
    `${metric}_sum{${labels}} ${stat.sum}`,
    `${metric}_count{${labels}} ${cumulative}`,
  ];
}

function metricName(name: string): string {
  return name.startsWith("sluice.") ? sanitize(name) : sanitize(`envoy_${name}`);
}

/** A metric or label name: letters, digits and underscores. */
function sanitize(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function joined(labels: string, extra: string): string {
  return labels === "" ? extra : `${labels},${extra}`;
}
