import assert from "node:assert/strict";
import { test } from "node:test";
import { SluiceProgram, tcpBootstrap } from "../../support/sluice-program.ts";

async function validate(text: string, ...flags: string[]) {
  await using program = new SluiceProgram(["--mode", "validate", "-c", "b.yaml", ...flags], {
    files: { "b.yaml": text },
  });
  const code = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

test("--mode validate says OK as Envoy does, and binds nothing", async () => {
  // Port 1 could not be bound without privileges; as root it would be, and be seen in use here.
  const { code, stdout } = await validate(JSON.stringify(tcpBootstrap(1, 1)));
  assert.equal(stdout, "configuration 'b.yaml' OK\n");
  assert.equal(code, 0);
});

test("--config-yaml is merged over the file", async () => {
  const good = JSON.stringify(tcpBootstrap(1));
  assert.equal((await validate(good, "--config-yaml", "node: {id: n}")).code, 0);
  const bad = await validate(good, "--config-yaml", "nonsense: 1");
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /nonsense/);
});

const listener = (chains: string) =>
  `static_resources: {listeners: [{name: l1, address: {socket_address: {address: 127.0.0.1, port_value: 0}}, filter_chains: ${chains}}]}`;
const httpListener = (routes: string) =>
  listener(
    `[{filters: [{name: hcm, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: ${routes}}]}, http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]`,
  );

/** Every message names the resource, the field or the reason; none has a stack. */
const refused: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ["malformed YAML", "foo: [", /b\.yaml/],
  ["an empty file", "", /the bootstrap is empty/],
  ["an unknown field", "static_resources: {listener: []}", /listener/],
  ["a wrong type", "admin: {address: {socket_address: {port_value: many}}}", /port_value/],
  [
    "a broken rule",
    "admin: {address: {socket_address: {address: a, port_value: 70000}}}",
    /PortValue|port_value/i,
  ],
  [
    "an unknown extension",
    listener(
      '[{filters: [{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}]}]',
    ),
    /echo/i,
  ],
  [
    "an unknown type",
    listener('[{filters: [{name: x, typed_config: {"@type": type.googleapis.com/no.such.Type}}]}]'),
    /no\.such\.Type/,
  ],
  [
    "an address twice",
    `static_resources: {listeners: [${["l1", "l2"].map((name) => `{name: ${name}, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: [{}]}`).join()}]}`,
    /error adding listener 'l2': error adding listener: 'l2' has duplicate address '127\.0\.0\.1:1'/,
  ],
  [
    "a local cluster that is not there",
    "cluster_manager: {local_cluster_name: l}",
    /local cluster 'l' must be defined/,
  ],
  ["no filter chain", listener("[]"), /no filter chains specified/],
  [
    "an unknown cluster",
    httpListener("[{match: {prefix: /}, route: {cluster: nope}}]"),
    /unknown cluster 'nope'/,
  ],
  [
    "a file of endpoints that is not there",
    "static_resources: {clusters: [{name: c, type: EDS, eds_cluster_config: {eds_config: {path_config_source: {path: /nonexistent}}}}]}",
    /cluster 'c': eds_config: .*'\/nonexistent' does not exist/,
  ],
  [
    "a file of routes that is not there",
    listener(
      `[{filters: [{name: hcm, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, rds: {route_config_name: r, config_source: {path_config_source: {path: /nonexistent}}}, http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}]`,
    ),
    /listener 'l1': rds r: .*'\/nonexistent' does not exist/,
  ],
  [
    "two listeners of one name",
    "static_resources: {listeners: [{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, filter_chains: [{}]}, {name: l, address: {socket_address: {address: 127.0.0.1, port_value: 2}}, filter_chains: [{}]}]}",
    /duplicate listener|'?l'? /,
  ],
];

for (const [name, text, message] of refused) {
  test(`${name} is refused with its reason and code 1`, async () => {
    const { code, stdout, stderr } = await validate(text);
    assert.equal(code, 1, stdout + stderr);
    assert.match(stderr, message);
    assert.match(stderr, /error initializing configuration 'b\.yaml': /);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });
}

test("a source of clusters on demand that can never answer is warned of, as Envoy takes it", async () => {
  const source =
    "{resource_api_version: V3, api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: nobody}}]}}";
  const text = listener(
    `[{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c, on_demand: {odcds_config: ${source}}}}]}]`,
  );
  const { code, stderr } = await validate(text);
  assert.equal(code, 0);
  assert.match(stderr, /listener 'l1': odcds: unknown cluster 'nobody', it must be a static one/);
});
