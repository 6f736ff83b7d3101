/** TLS to whatever else main speaks to: a polled server, gRPC by URI, a server of reports. Also with `SLUICE_TEST_PROXY=envoy`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { ApiServer } from "../../../src/xds-server/api/api-server.ts";
import { ResourceReader } from "../../../src/xds-server/resource-reader.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { grpcLog, httpProxy, reportBootstrap } from "../../support/report-bootstrap.ts";
import { ReportServer } from "../../support/report-server.ts";
import { SecuredServer, tlsSocket } from "../../support/secured-server.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { httpListener, routesTo, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isEnvoy = process.env["SLUICE_TEST_PROXY"] !== undefined;

const listener = (name: string, cluster = "nowhere"): object =>
  httpListener(name, { route_config: { ...routesTo(cluster), validate_clusters: false } });

const trusted = (ca: string): object => ({
  validation_context: {
    trusted_ca: { inline_string: ca },
    match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "xds.test" } }],
  },
});

function restBootstrap(port: number, ca: string): object {
  const source = {
    api_config_source: {
      api_type: "REST",
      transport_api_version: "V3",
      cluster_names: ["control"],
      refresh_delay: "0.1s",
    },
    initial_fetch_timeout: "0.3s",
    resource_api_version: "V3",
  };
  return {
    node: { id: "n", cluster: "c" },
    admin: adminOnPortZero,
    dynamic_resources: { lds_config: source },
    static_resources: {
      clusters: [staticCluster("control", port, { transport_socket: tlsSocket(trusted(ca)) })],
    },
  };
}

test("resources are polled over TLS, from a server with the right name alone", async () => {
  await using control = await SecuredServer.start();
  const reader = new ResourceReader();
  await using api = await ApiServer.listen({
    server: control.pushing.server,
    reader,
    tls: control.tls(false),
  });
  control.pushing.offer("listeners", [listener("a")]);
  const bootstrap = restBootstrap(api.port, control.authority.certificate);
  await using proxy = await ProxyProcess.start(bootstrap);
  await until(async () => (await proxy.listenerPorts()).has("a"), "it serves");

  // Envoy keeps its connection, and asks no more who that is.
  if (isEnvoy) return;
  control.write("server", control.authority.issue(["DNS:other.test"]));
  await until(
    async () => (await proxy.stat("listener_manager.lds.update_failure")) > 0,
    "the other name is refused",
  );
  assert.match(proxy.log, /verify cert failed: SAN matcher, certificate SANs are \[other.test\]/);
  assert.equal((await proxy.listenerPorts()).has("a"), true);
});

interface Ads {
  readonly dynamic_resources: { readonly ads_config: { grpc_services: object[] } };
}

function googleBootstrap(uri: string, credentials: object, calls: readonly object[] = []): object {
  const source = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0.2s" };
  const bootstrap = {
    node: { id: "n", cluster: "c" },
    admin: adminOnPortZero,
    dynamic_resources: {
      lds_config: source,
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [
          {
            google_grpc: {
              target_uri: uri,
              stat_prefix: "ads",
              channel_credentials: { ssl_credentials: credentials },
              call_credentials: calls,
            },
          },
        ],
      },
    },
  };
  return bootstrap satisfies Ads;
}

test("google_grpc: both sides show certificates, and the target's name is what counts", async () => {
  await using control = await SecuredServer.start({ asksClient: true });
  const { certificate, privateKey } = control.authority.issue(["DNS:client.test"]);
  const credentials = {
    root_certs: { inline_string: control.authority.certificate },
    private_key: { inline_string: privateKey },
    cert_chain: { inline_string: certificate },
  };
  control.pushing.offer("listeners", [listener("a")]);
  const bootstrap = googleBootstrap(control.pushing.address, credentials, [
    { access_token: "secret" },
  ]);
  await using proxy = await ProxyProcess.start(bootstrap);
  await until(async () => (await proxy.listenerPorts()).has("a"), "it serves");
  assert.equal(await proxy.stat("control_plane.connected_state"), 1);
});

test("google_grpc: a certificate for another name, or of another CA, is refused", async () => {
  await using control = await SecuredServer.start({ names: ["DNS:xds.test"] });
  using other = new TestAuthority("other");
  for (const ca of [control.authority.certificate, other.certificate]) {
    const credentials = { root_certs: { inline_string: ca } };
    await using proxy = await ProxyProcess.start(
      googleBootstrap(control.pushing.address, credentials),
    );
    await until(
      async () => (await proxy.stat("listener_manager.lds.update_failure")) > 0,
      "it is refused",
    );
    assert.equal(await proxy.stat("control_plane.connected_state"), 0);
    if (!isEnvoy) assert.match(proxy.log, /(certificate verify|verify cert) failed: /);
  }
});

test("access logs go over TLS, to a server with the right name alone", async () => {
  await using control = await SecuredServer.start();
  for (const [name, isTrusted] of [
    ["DNS:xds.test", true],
    ["DNS:other.test", false],
  ] as const) {
    const { certificate, privateKey } = control.authority.issue([name]);
    const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(privateKey) };
    await using server = await ReportServer.start(0, ServerCredentials.createSsl(null, [pair]));
    const direct = { match: { prefix: "/" }, directResponse: { status: 204 } };
    const settings = { accessLog: [grpcLog("http", "secured")] };
    const base = reportBootstrap({
      listeners: [httpProxy("web", [direct], settings)],
      clusters: [],
      reportPort: server.port,
    }) as { staticResources: { clusters: [object] } };
    Object.assign(base.staticResources.clusters[0], {
      transport_socket: tlsSocket(trusted(control.authority.certificate)),
    });
    await using proxy = await ProxyProcess.start(base);
    const port = (await proxy.listenerPorts()).get("web");
    assert.equal((await fetch(`http://127.0.0.1:${port}/told`)).status, 204);
    if (isTrusted) {
      await until(
        () =>
          Promise.resolve(
            JSON.stringify(server.accessLogs.map(({ received }) => received)).includes("/told"),
          ),
        "it is told",
      );
      continue;
    }
    await until(
      async () => (await proxy.stat("cluster.reports.ssl.fail_verify_san")) >= 1,
      "it is refused",
    );
    assert.deepEqual(server.accessLogs, []);
  }
});

test("load is reported over TLS, and requests go to that cluster as to any other", async () => {
  await using control = await SecuredServer.start();
  const { certificate, privateKey } = control.authority.issue(["DNS:xds.test"]);
  const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(privateKey) };
  await using server = await ReportServer.start(0, ServerCredentials.createSsl(null, [pair]));
  const base = reportBootstrap({
    listeners: [],
    clusters: [],
    reportPort: server.port,
    reportsLoad: true,
  }) as { staticResources: { clusters: [object]; listeners: object[] } };
  Object.assign(base.staticResources.clusters[0], {
    transport_socket: tlsSocket(trusted(control.authority.certificate)),
  });
  base.staticResources.listeners.push(listener("plain", "reports"));
  await using proxy = await ProxyProcess.start(base);
  await server.load();
  const port = (await proxy.listenerPorts()).get("plain");
  const response = await fetch(`http://127.0.0.1:${port}/`);
  // The server's own word, over HTTP/2 and TLS: this was no gRPC.
  assert.equal(response.status, 415);
});
