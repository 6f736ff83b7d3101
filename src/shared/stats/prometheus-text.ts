/**
 * `/stats/prometheus`: exposition format 0.0.4 as Envoy writes it: `envoy_` before every name that is
 * not our own, tags as labels, samples of one metric together under one TYPE line. With thousands of
 * listeners this is the most work that main does at once, hence no regular expression where a lookup serves.
 */
import { histogramBounds } from "./stat-group.ts";
import { type HistogramValue, type StatSnapshot, compareNames } from "./stat-snapshot.ts";
import { extractTags } from "./stat-tags.ts";

export interface PrometheusOptions {
  /** Show text readouts as gauges of 0 with the text as a label (`?text_readouts`). */
  readonly textReadouts: boolean;
}

interface Metric {
  readonly name: string;
  samples: string;
}

/** Of one sample: its metric, and its labels with a comma after them unless there are none. */
type Write<Stat> = (stat: Stat, metric: string, labels: string) => string;

export function formatPrometheus(snapshot: StatSnapshot, options: PrometheusOptions): string {
  const scalar: Write<{ readonly value: number }> = ({ value }, metric, labels) =>
    `${metric}{${withoutComma(labels)}} ${value}\n`;
  const text: Write<{ readonly value: string }> = ({ value }, metric, labels) =>
    `${metric}{${labels}text_value="${escapeLabel(value)}"} 0\n`;
  return (
    render("counter", snapshot.counters, scalar) +
    render("gauge", snapshot.gauges, scalar) +
    (options.textReadouts ? render("gauge", snapshot.textReadouts, text) : "") +
    render("histogram", snapshot.histograms, histogramSamples)
  );
}

function render<Stat extends { readonly name: string }>(
  type: "counter" | "gauge" | "histogram",
  stats: readonly Stat[],
  write: Write<Stat>,
): string {
  const byStat = new Map<string, Metric>();
  const metrics = new Map<string, Metric>();
  for (const stat of stats) {
    const { name, tags } = extractTags(stat.name);
    const metric = byStat.get(name) ?? metricOf(name, metrics);
    byStat.set(name, metric);
    let labels = "";
    for (const [tag, value] of tags) labels += `${tag}="${escapeLabel(value)}",`;
    metric.samples += write(stat, metric.name, labels);
  }
  return [...metrics.values()]
    .sort(compareNames)
    .map((metric) => `# TYPE ${metric.name} ${type}\n${metric.samples}`)
    .join("");
}

/** Names that differ in a dot only (`a.b`, `a_b`) are one metric: it must not have two TYPE lines. */
function metricOf(statName: string, metrics: Map<string, Metric>): Metric {
  const name = metricName(statName);
  const metric = metrics.get(name) ?? { name, samples: "" };
  metrics.set(name, metric);
  return metric;
}

const bucketLabels = [...histogramBounds, "+Inf"].map((bound) => `le="${bound}"`);

function histogramSamples(stat: HistogramValue, metric: string, labels: string): string {
  let cumulative = 0;
  let samples = "";
  for (const [i, label] of bucketLabels.entries()) {
    cumulative += stat.buckets[i] ?? 0;
    samples += `${metric}_bucket{${labels}${label}} ${cumulative}\n`;
  }
  const own = withoutComma(labels);
  return `${samples}${metric}_sum{${own}} ${stat.sum}\n${metric}_count{${own}} ${cumulative}\n`;
}

function metricName(name: string): string {
  const full = name.startsWith("sluice.") ? name : `envoy_${name}`;
  return full.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

function escapeLabel(value: string): string {
  if (!/["\\\n]/.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function withoutComma(labels: string): string {
  return labels.slice(0, -1);
}
