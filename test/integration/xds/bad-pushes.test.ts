import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, suite, test } from "node:test";
import { FakeManagementServer } from "../../support/fake-management-server.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { until } from "../../support/until.ts";

/**
 * What a control plane can get wrong, against the whole proxy: each time one message says what is
 * wrong, and what worked goes on. `SLUICE_TEST_PROXY=envoy` runs it against Envoy.
 */
const fromAds = { ads: {}, resource_api_version: "V3" };
const hcmType =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const socketAddress = (port: number): object => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});

const assignment = (name: string, port: number): object => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
});

const routesTo = (cluster: string): object => ({
  name: "routes",
  virtual_hosts: [
    { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] },
  ],
});

function httpListener(name: string, routing: object, port = 0): object {
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
  };
  const manager = { "@type": hcmType, stat_prefix: name, http_filters: [router], ...routing };
  const filter = { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
  return { name, address: socketAddress(port), filter_chains: [{ filters: [filter] }] };
}

const good = httpListener("good", { route_config: routesTo("web") });

suite("bad pushes", () => {
  let controlPlane: FakeManagementServer;
  let proxy: ProxyProcess;
  const upstream = createServer((_, response) => response.end("ok"));

  before(async () => {
    await once(upstream.listen(0, "127.0.0.1"), "listening");
    controlPlane = await FakeManagementServer.start();
    controlPlane.offer({
      clusters: [
        {
          name: "web",
          type: "EDS",
          connect_timeout: "1s",
          eds_cluster_config: { eds_config: fromAds },
        },
      ],
      endpoints: [assignment("web", (upstream.address() as AddressInfo).port)],
      listeners: [good],
    });
    proxy = await ProxyProcess.start(bootstrap(controlPlane.port));
    await isServed();
  });

  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await controlPlane[Symbol.asyncDispose]();
    upstream.close();
    upstream.closeAllConnections();
  });

  /** The listener that was good from the start still answers. */
  async function isServed(): Promise<void> {
    const port = await until(async () => (await proxy.listenerPorts()).get("good"), "it is active");
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(await response.text(), "ok");
  }

  async function refusedFor(listeners: readonly object[], reason: RegExp): Promise<void> {
    const { listeners: verdict } = await controlPlane.push({ listeners });
    assert(verdict?.kind === "nacked", "it was accepted");
    assert.match(verdict.error, reason);
    await isServed();
  }

  test("a route to a cluster that is not there, inline, is refused", async () => {
    const bad = httpListener("bad", { route_config: routesTo("nowhere") });
    await refusedFor([good, bad], /bad.*unknown cluster 'nowhere'/s);
  });

  test("an address in use is refused", async () => {
    const { port } = upstream.address() as AddressInfo;
    const bad = httpListener("bad", { route_config: routesTo("web") }, port);
    await refusedFor([good, bad], /bad.*(Address already in use|EADDRINUSE)/s);
  });

  test("a listener without filter chains is refused", async () => {
    const bad = { name: "bad", address: socketAddress(0) };
    await refusedFor([good, bad], /no filter chains specified/);
  });

  test("an unknown extension is refused by its name", async () => {
    const filters = [
      { name: "nope", typed_config: { "@type": "type.googleapis.com/google.protobuf.Empty" } },
    ];
    const bad = { name: "bad", address: socketAddress(0), filter_chains: [{ filters }] };
    await refusedFor([good, bad], /nope|google\.protobuf\.Empty/);
  });

  test("of two listeners of one name the push is refused", async () => {
    const verdict = await controlPlane.pushRaw("listeners", [
      ...controlPlane.read("listeners", [good]),
      ...controlPlane.read("listeners", [good]),
    ]);
    assert(verdict.kind === "nacked");
    assert.match(verdict.error, /duplicate listener good found/);
    await isServed();
  });

  test("a good listener in a bad push is served", async () => {
    const bad = httpListener("bad", { route_config: routesTo("nowhere") });
    const fine = httpListener("fine", { route_config: routesTo("web") });
    await refusedFor([good, bad, fine], /bad/);
    await until(async () => (await proxy.listenerPorts()).has("fine"), "fine is active");
  });

  test("a resource that is cut short is refused", async () => {
    const [whole] = controlPlane.read("listeners", [good]);
    assert(whole);
    const verdict = await controlPlane.pushRaw("listeners", [
      { ...whole, bytes: whole.bytes.subarray(0, whole.bytes.length - 5) },
    ]);
    assert.equal(verdict.kind, "nacked");
    await isServed();
  });

  test("another type in Any is refused", async () => {
    const [whole] = controlPlane.read("listeners", [good]);
    assert(whole);
    const typeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    const verdict = await controlPlane.pushOfType("listeners", [{ ...whole, typeUrl }]);
    assert(verdict.kind === "nacked");
    assert.match(verdict.error, /Cluster does not match the message-wide type URL/);
    await isServed();
  });

  test("a missing cluster behind RDS is not an error of the push: 503 without it", async () => {
    const rds = { rds: { route_config_name: "routes", config_source: fromAds } };
    await controlPlane.push({
      listeners: [good, httpListener("late", rds)],
      routes: [routesTo("nowhere")],
    });
    const port = await until(
      async () => (await proxy.listenerPorts()).get("late"),
      "late is active",
    );
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 503);
  });

  test("garbage, and a message cut short, cost the stream and nothing else", async () => {
    await controlPlane.sendGarbage();
    await isServed();
    await controlPlane.sendTruncated();
    await isServed();
  });

  test("while the control plane is away everything serves; when it is back, pushes arrive", async () => {
    const { port } = controlPlane;
    await controlPlane[Symbol.asyncDispose]();
    await until(
      async () => (await proxy.stat("control_plane.connected_state")) === 0,
      "it is noticed",
    );
    await isServed();
    controlPlane = await FakeManagementServer.start(`127.0.0.1:${port}`);
    const after = httpListener("after", { route_config: routesTo("web") });
    await controlPlane.push({ listeners: [good, after] });
    await until(async () => (await proxy.listenerPorts()).has("after"), "after is active");
    await isServed();
  });
});

function bootstrap(xdsPort: number): object {
  return {
    node: { id: "bad-pushes", cluster: "test" },
    admin: { address: socketAddress(0) },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "control_plane" } }],
      },
      cds_config: fromAds,
      lds_config: fromAds,
    },
    static_resources: {
      clusters: [
        {
          name: "control_plane",
          type: "STATIC",
          connect_timeout: "1s",
          load_assignment: assignment("control_plane", xdsPort),
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  };
}
