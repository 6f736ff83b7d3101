/**
 * Envoy's default tag extraction: which parts of a name are labels in Prometheus. Each rule takes at
 * most one tag; they run in this order, which is the order of the labels. A name with a dot inside a
 * prefix (`http.in.gress.`) keeps the rest in the metric's name: Envoy's own behaviour (measured on 1.40).
 */

export interface TaggedName {
  /** The name without its tags. */
  readonly name: string;
  readonly tags: readonly (readonly [tag: string, value: string])[];
}

interface TagRule {
  readonly tag: string;
  /** Without this in the name the pattern cannot match: most names are passed over at little cost. */
  readonly needs: string;
  /** Group 1 is what stays before the tag, 2 what goes from the name, 3 (in it) what the label says. */
  readonly pattern: RegExp;
}

/** An address with `:` written as `_`, or one word. */
const address = String.raw`(?:[\d.]+_\d+|\[[\da-fA-F_.]*\]_\d+|[^.]+)`;

const rules: readonly TagRule[] = [
  { tag: "envoy_response_code", needs: "_rq_", pattern: /(_rq)(_(\d{3}))$/ },
  { tag: "envoy_response_code_class", needs: "_rq_", pattern: /(_rq_)((\d))xx$/ },
  {
    tag: "envoy_worker_id",
    needs: "worker_",
    pattern: new RegExp(
      String.raw`^((?:listener\.${address}\.|server\.|thread_local_cluster_manager\.|listener_manager\.)worker)(_(\d+))\.`,
    ),
  },
  {
    tag: "envoy_http_conn_manager_prefix",
    needs: "http.",
    pattern: /^((?:listener\..+?\.)?http\.)(([^.]+)\.)/,
  },
  {
    tag: "envoy_rds_route_config",
    needs: ".rds.",
    pattern: /^(http\.(?:[^.]+\.)?rds\.)((.+?)\.)[^.]+$/,
  },
  {
    tag: "envoy_tls_certificate",
    needs: ".ssl.certificate.",
    pattern: /(\.ssl\.certificate)(\.(.+))\.[^.]+$/,
  },
  {
    tag: "envoy_ssl_cipher",
    needs: ".ssl.ciphers.",
    pattern: /^(listener\..*\.ssl\.ciphers)(\.([^.]+))$/,
  },
  {
    tag: "cipher_suite",
    needs: ".ssl.ciphers.",
    pattern: /^(cluster\..*\.ssl\.ciphers)(\.([^.]+))$/,
  },
  { tag: "envoy_ssl_curve", needs: ".ssl.curves.", pattern: /(\.ssl\.curves)(\.([^.]+))$/ },
  { tag: "envoy_ssl_sigalg", needs: ".ssl.sigalgs.", pattern: /(\.ssl\.sigalgs)(\.([^.]+))$/ },
  { tag: "envoy_ssl_version", needs: ".ssl.versions.", pattern: /(\.ssl\.versions)(\.(.+))$/ },
  { tag: "envoy_tcp_prefix", needs: "tcp.", pattern: /^(tcp\.)(([^.]+)\.)/ },
  {
    tag: "envoy_grpc_bridge_method",
    needs: ".grpc.",
    pattern: /^(cluster\.[^.]+\.grpc\.[^.]+)(\.([^.]+))\../,
  },
  {
    tag: "envoy_grpc_bridge_service",
    needs: ".grpc.",
    pattern: /^(cluster\.[^.]+\.grpc)(\.([^.]+))\../,
  },
  { tag: "envoy_cluster_name", needs: "cluster.", pattern: /^(cluster\.)(([^.]+)\.)/ },
  {
    tag: "envoy_listener_address",
    needs: "listener.",
    pattern: new RegExp(String.raw`^(listener\.)((${address})\.)`),
  },
];

/** Tags under the names that Prometheus gives them. */
export function extractTags(fullName: string): TaggedName {
  const tags: (readonly [string, string])[] = [];
  const cuts: (readonly [start: number, end: number])[] = [];
  for (const { tag, needs, pattern } of rules) {
    if (!fullName.includes(needs)) continue;
    const match = pattern.exec(fullName);
    if (!match) continue;
    const [, before = "", cut = "", value = ""] = match;
    const start = match.index + before.length;
    tags.push([tag, value]);
    cuts.push([start, start + cut.length]);
  }
  // From the back, so that what is cut does not move what is still to be cut.
  if (cuts.length > 1) cuts.sort((a, b) => b[0] - a[0]);
  let name = fullName;
  for (const [start, end] of cuts) name = name.slice(0, start) + name.slice(end);
  return { name, tags };
}
