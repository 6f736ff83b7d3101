import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { computeQuantiles } from "../../../src/shared/stats/histogram-quantiles.ts";
import { formatPrometheus } from "../../../src/shared/stats/prometheus-text.ts";
import { StatSlab } from "../../../src/shared/stats/slab.ts";
import { defineStats, histogramBounds } from "../../../src/shared/stats/stat-group.ts";
import { formatStatJson } from "../../../src/shared/stats/stat-json.ts";
import { StatStore } from "../../../src/shared/stats/stat-store.ts";
import { extractTags } from "../../../src/shared/stats/stat-tags.ts";
import { formatStatText } from "../../../src/shared/stats/stat-text.ts";

function sample() {
  const buffer = new SharedArrayBuffer(16 * 1024);
  const slab = new StatSlab(buffer);
  const store = new StatStore([buffer]);
  const listener = defineStats({
    counters: ["downstream_cx_total"],
    gauges: ["downstream_cx_active"],
    histograms: ["downstream_cx_length_ms"],
  });
  const block = store.allocate(listener, "listener.127.0.0.1_80.");
  slab.add(block, listener.offset("downstream_cx_total"), 3);
  store.setText("control_plane.identifier", "cp");
  return { store, slab, block, listener };
}

test("formatStatText() prints as Envoy: readouts, then counters with gauges, then histograms", () => {
  const { store, slab, block, listener } = sample();
  assert.equal(
    formatStatText(store.snapshot()),
    [
      'control_plane.identifier: "cp"',
      "listener.127.0.0.1_80.downstream_cx_active: 0",
      "listener.127.0.0.1_80.downstream_cx_total: 3",
      "listener.127.0.0.1_80.downstream_cx_length_ms: No recorded values",
      "",
    ].join("\n"),
  );
  slab.record(block, listener.offset("downstream_cx_length_ms"), 3);
  const [, , , before] = formatStatText(store.snapshot()).split("\n");
  assert.match(before ?? "", /: P0\(nan,1\) P25\(nan,2\) P50\(nan,3\) .* P100\(nan,5\)$/);
  store.flush();
  assert.match(formatStatText(store.snapshot()), /P0\(1,1\) P25\(2,2\) .* P99.5\(/);
});

test("formatStatJson() has Envoy's shape", () => {
  const { store } = sample();
  const { stats } = JSON.parse(formatStatJson(store.snapshot()));
  assert.deepEqual(stats.slice(0, 3), [
    { name: "control_plane.identifier", value: "cp" },
    { name: "listener.127.0.0.1_80.downstream_cx_active", value: 0 },
    { name: "listener.127.0.0.1_80.downstream_cx_total", value: 3 },
  ]);
  const [, , , { histograms }] = stats;
  assert.deepEqual(histograms.supported_quantiles, [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]);
  assert.equal(
    histograms.computed_quantiles[0].name,
    "listener.127.0.0.1_80.downstream_cx_length_ms",
  );
  assert.deepEqual(histograms.computed_quantiles[0].values[0], {
    cumulative: null,
    interval: null,
  });
});

test("formatPrometheus() groups samples of a metric and counts buckets cumulatively", () => {
  const { store, slab, block, listener } = sample();
  slab.record(block, listener.offset("downstream_cx_length_ms"), 3);
  slab.record(block, listener.offset("downstream_cx_length_ms"), 4e6);
  const lines = formatPrometheus(store.snapshot(), { textReadouts: true }).split("\n");
  const label = 'envoy_listener_address="127.0.0.1_80"';
  assert.equal(lines[0], "# TYPE envoy_listener_downstream_cx_total counter");
  assert.equal(lines[1], `envoy_listener_downstream_cx_total{${label}} 3`);
  assert(lines.includes('envoy_control_plane_identifier{text_value="cp"} 0'));
  const metric = "envoy_listener_downstream_cx_length_ms";
  assert(lines.includes(`${metric}_bucket{${label},le="1"} 0`));
  assert(lines.includes(`${metric}_bucket{${label},le="5"} 1`));
  assert(lines.includes(`${metric}_bucket{${label},le="+Inf"} 2`));
  assert(lines.includes(`${metric}_sum{${label}} 4000003`));
  assert(lines.includes(`${metric}_count{${label}} 2`));
});

test("formatPrometheus() never writes two TYPE lines for one metric", () => {
  const stat = (name: string) => ({ name, value: 1, isUsed: true });
  const text = formatPrometheus(
    {
      counters: [stat("a.b"), stat("a.c"), stat("a_b")],
      gauges: [],
      histograms: [],
      textReadouts: [],
    },
    { textReadouts: false },
  );
  assert.equal(
    text,
    "# TYPE envoy_a_b counter\nenvoy_a_b{} 1\nenvoy_a_b{} 1\n# TYPE envoy_a_c counter\nenvoy_a_c{} 1\n",
  );
});

/** Name, then metric and labels, as Envoy 1.40 printed them. */
const recorded: readonly (readonly [string, string, string])[] = [
  ["http.admin.downstream_rq_2xx", "http.downstream_rq_xx", "2|admin"],
  [
    "listener.h1.x.http.in.gress.downstream_rq_1xx",
    "listener.x.http.gress.downstream_rq_xx",
    "1|in|h1",
  ],
  ["listener.h1.worker_0.downstream_cx_total", "listener.worker.downstream_cx_total", "0|h1"],
  [
    "listener.127.0.0.1_0.worker_1.downstream_cx_total",
    "listener.worker.downstream_cx_total",
    "1|127.0.0.1_0",
  ],
  ["server.worker_0.watchdog_miss", "server.worker.watchdog_miss", "0"],
  ["workers.watchdog_miss", "workers.watchdog_miss", ""],
  ["listener_manager.workers_started", "listener_manager.workers_started", ""],
  [
    "thread_local_cluster_manager.worker_0.clusters_inflated",
    "thread_local_cluster_manager.worker.clusters_inflated",
    "0",
  ],
  ["cluster.c.circuit_breakers.default.cx_open", "cluster.circuit_breakers.default.cx_open", "c"],
  ["cluster.a.b_c.assignment_stale", "cluster.b_c.assignment_stale", "a"],
  [
    "cluster.c.upstream_cx_destroy_with_active_rq",
    "cluster.upstream_cx_destroy_with_active_rq",
    "c",
  ],
  ["server.state", "server.state", ""],
];

test("extractTags() takes the tags that Envoy takes, in its order", () => {
  for (const [name, metric, values] of recorded) {
    const extracted = extractTags(name);
    assert.equal(extracted.name, metric);
    assert.equal(extracted.tags.map(([, value]) => value).join("|"), values, name);
  }
});

/** As Envoy 1.40 prints them. */
const recordedTls: readonly (readonly [string, string, string, string])[] = [
  ["cluster.up.ssl.ciphers.AES128-SHA", "cluster.ssl.ciphers", "cipher_suite", "AES128-SHA"],
  ["listener.a_1.ssl.ciphers.AES128-SHA", "listener.ssl.ciphers", "envoy_ssl_cipher", "AES128-SHA"],
  ["listener.a_1.ssl.curves.X25519", "listener.ssl.curves", "envoy_ssl_curve", "X25519"],
  ["cluster.up.ssl.sigalgs.ed25519", "cluster.ssl.sigalgs", "envoy_ssl_sigalg", "ed25519"],
  ["cluster.up.ssl.versions.TLSv1.2", "cluster.ssl.versions", "envoy_ssl_version", "TLSv1.2"],
  [
    "cluster.up.ssl.certificate.own.expiration_unix_time_seconds",
    "cluster.ssl.certificate.expiration_unix_time_seconds",
    "envoy_tls_certificate",
    "own",
  ],
];

test("extractTags() takes what was negotiated, and the name of a certificate", () => {
  for (const [name, metric, tag, value] of recordedTls) {
    const extracted = extractTags(name);
    assert.equal(extracted.name, metric);
    assert.deepEqual(extracted.tags[0], [tag, value]);
  }
});

test("extractTags() takes the status code of a counter of its own", () => {
  assert.deepEqual(extractTags("cluster.c.upstream_rq_503"), {
    name: "cluster.upstream_rq",
    tags: [
      ["envoy_response_code", "503"],
      ["envoy_cluster_name", "c"],
    ],
  });
});

test("computeQuantiles() stays in the bounds of the values' buckets and never falls", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(50), {
        minLength: histogramBounds.length + 1,
        maxLength: histogramBounds.length + 1,
      }),
      (buckets) => {
        const values = computeQuantiles(buckets);
        if (buckets.every((count) => count === 0))
          return assert(values.every((value) => value === undefined));
        values.reduce<number>((last, value) => {
          assert(value !== undefined && value >= last);
          return value;
        }, 0);
        const lowest = buckets.findIndex((count) => count > 0);
        const lower = lowest === 0 ? 0 : histogramBounds[lowest - 1];
        assert.equal(values[0], lower);
      },
    ),
  );
});
