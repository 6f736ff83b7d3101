/** Certificates by SDS, over the whole proxy. `SLUICE_TEST_PROXY=envoy` runs it against Envoy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachProxy, type StartProxy } from "../../support/each-proxy.ts";
import type { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { refusalOf, securedConnection, securedGet } from "../../support/tls-clients.ts";
import {
  clientSocket,
  secretOf,
  serverSocket,
  trusts,
  underTls,
} from "../../support/tls-resources.ts";
import {
  dynamicBootstrap,
  fromAds,
  httpListener,
  routesTo,
  staticCluster,
} from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const isOther = process.env["SLUICE_TEST_PROXY"] !== undefined;
const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());
const first = authority.issue(["DNS:a.test"]);
const second = authority.issue(["DNS:a.test"]);
const third = authority.issue(["DNS:a.test"]);

const patient = { ...fromAds, initial_fetch_timeout: "0s" };
const named = (name: string, source: object = patient): object => ({ name, sds_config: source });

interface Fixture {
  readonly proxy: ProxyProcess;
  readonly controlPlane: PushingServer;
  readonly port: () => Promise<number>;
}

/** A proxy that gets its listener `web` from a control plane, and a cluster `up` in plain text. */
async function serve(
  start: StartProxy,
  open: AsyncDisposableStack,
  socket: object,
  flags: readonly string[] = [],
): Promise<Fixture> {
  const upstream = createServer((_request, response) => response.end("ok"));
  open.defer(() => upstream.close().closeAllConnections());
  await once(upstream.listen(0, "127.0.0.1"), "listening");
  const controlPlane = open.use(await PushingServer.start());
  const listener = underTls(httpListener("web", { route_config: routesTo("up") }), socket);
  controlPlane.offer("clusters", [staticCluster("up", (upstream.address() as AddressInfo).port)]);
  controlPlane.offer("listeners", []);
  const proxy = await start(dynamicBootstrap(controlPlane.address), flags);
  await controlPlane.accepted("listeners", [{ ...listener, stat_prefix: "web" }]);
  const port = (): Promise<number> =>
    until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  return { proxy, controlPlane, port };
}

async function serial(port: number): Promise<string | undefined> {
  return (await securedGet(port)).session.serial;
}

function serialOf({ certificate }: TestCertificate): Promise<string> {
  return import("node:crypto").then(
    ({ X509Certificate }) => new X509Certificate(certificate).serialNumber,
  );
}

forEachProxy(
  "a listener warms on its certificate, and takes every new one",
  async (start, open) => {
    const { proxy, controlPlane, port } = await serve(
      start,
      open,
      serverSocket({ tls_certificate_sds_secret_configs: [named("cert")] }),
    );
    await until(
      async () => (await proxy.stat("listener_manager.total_listeners_warming")) === 1,
      "it warms",
    );
    await controlPlane.accepted("secrets", [secretOf("cert", first)]);
    const bound = await port();
    assert.equal(await serial(bound), await serialOf(first));
    const kept = await securedConnection(bound);

    await controlPlane.accepted("secrets", [secretOf("cert", second)]);
    const wanted = await serialOf(second);
    await until(async () => (await serial(bound)) === wanted, "the new one is shown");
    kept.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    assert.match(String((await once(kept, "data"))[0]), /^HTTP\/1\.1 200/);
    kept.destroy();
    assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);
    assert.equal(await proxy.stat("listener_manager.total_listeners_draining"), 0);

    const broken = secretOf("cert", { ...third, privateKey: first.privateKey });
    const verdict = await controlPlane.push("secrets", [broken]);
    assert(verdict.kind === "nacked");
    assert.match(verdict.error, /KEY_VALUES_MISMATCH/);
    assert.equal(await serial(bound), wanted);
    assert.equal(await proxy.stat("sds.cert.update_rejected"), 1);
    assert.equal(
      await proxy.stat("listener.web.server_ssl_socket_factory.ssl_context_update_by_sds"),
      2,
    );
    assert.doesNotMatch(await proxy.admin("/config_dump"), /PRIVATE KEY/);
  },
);

forEachProxy(
  "without its certificate in time a listener refuses who comes",
  async (start, open) => {
    const impatient = { ...fromAds, initial_fetch_timeout: "0.2s" };
    const { proxy, controlPlane, port } = await serve(
      start,
      open,
      serverSocket({ tls_certificate_sds_secret_configs: [named("cert", impatient)] }),
    );
    const bound = await port();
    assert.doesNotMatch(await refusalOf(bound), /answer/);
    const factory = "listener.web.server_ssl_socket_factory";
    assert.equal(await proxy.stat(`${factory}.downstream_context_secrets_not_ready`), 1);
    await controlPlane.accepted("secrets", [secretOf("cert", first)]);
    await until(
      async () => (await securedGet(bound).catch(() => undefined))?.status === 200,
      "it came late",
    );
  },
);

forEachProxy("who is trusted comes by SDS too, and is another at once", async (start, open) => {
  const client = authority.issue(["DNS:client.test"]);
  const own = { cert: client.certificate, key: client.privateKey };
  using stranger = new TestAuthority("another CA");
  const { controlPlane, port } = await serve(
    start,
    open,
    serverSocket(
      {
        tls_certificate_sds_secret_configs: [named("cert")],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "client.test" } }],
          },
          validation_context_sds_secret_config: named("trusted"),
        },
      },
      { require_client_certificate: true },
    ),
  );
  const certificate = secretOf("cert", first);
  const trusted = (ca: TestAuthority): object => ({
    name: "trusted",
    validation_context: trusts(ca),
  });
  await controlPlane.accepted("secrets", [certificate, trusted(authority)]);
  const bound = await port();
  assert.equal((await securedGet(bound, own)).status, 200);
  await controlPlane.accepted("secrets", [certificate, trusted(stranger)]);
  await until(async () => !/answer/.test(await refusalOf(bound, own)), "it is trusted no more");
});

forEachProxy("a certificate of files is read again when they are moved", async (start, open) => {
  const folder = await mkdtemp(path.join(tmpdir(), "sluice-tls-"));
  open.defer(() => rm(folder, { recursive: true }));
  const put = async (name: string, text: string): Promise<void> => {
    await writeFile(path.join(folder, `${name}.new`), text);
    await rename(path.join(folder, `${name}.new`), path.join(folder, name));
  };
  await put("cert", first.certificate);
  await put("key", first.privateKey);
  const secret = (version: string): string =>
    JSON.stringify({
      version_info: version,
      resources: [
        {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
          name: "cert",
          tls_certificate: {
            certificate_chain: { filename: path.join(folder, "cert") },
            private_key: { filename: path.join(folder, "key") },
            watched_directory: { path: folder },
          },
        },
      ],
    });
  await put("sds.json", secret("1"));
  const source = {
    path_config_source: { path: path.join(folder, "sds.json") },
    resource_api_version: "V3",
  };
  const { port } = await serve(
    start,
    open,
    serverSocket({ tls_certificate_sds_secret_configs: [named("cert", source)] }),
  );
  const bound = await port();
  assert.equal(await serial(bound), await serialOf(first));
  // Both are there before anything is moved in the folder that is watched.
  await writeFile(path.join(folder, "key"), second.privateKey);
  await put("cert", second.certificate);
  const wanted = await serialOf(second);
  await until(async () => (await serial(bound)) === wanted, "the new one is shown");
});

forEachProxy("a cluster warms on its secrets, and rotates them", async (start, open) => {
  const controlPlane = open.use(await PushingServer.start());
  const { createServer: createSecuredServer } = await import("node:https");
  const host = createSecuredServer(
    { cert: first.certificate, key: first.privateKey },
    (_request, response) => response.end("ok"),
  );
  open.defer(() => host.close().closeAllConnections());
  await once(host.listen(0, "127.0.0.1"), "listening");
  const cluster = staticCluster("up", (host.address() as AddressInfo).port, {
    transport_socket: clientSocket({ validation_context_sds_secret_config: named("trusted") }),
    max_requests_per_connection: 1,
  });
  controlPlane.offer("clusters", [cluster]);
  controlPlane.offer("listeners", [httpListener("web", { route_config: routesTo("up") })]);
  using stranger = new TestAuthority("another CA");
  const trusted = (ca: TestAuthority): object => ({
    name: "trusted",
    validation_context: trusts(ca),
  });
  controlPlane.offer("secrets", [trusted(authority)]);
  const proxy = await start(dynamicBootstrap(controlPlane.address));
  const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
  const status = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;
  await until(async () => (await status()) === 200, "the host is trusted");
  await controlPlane.accepted("secrets", [trusted(stranger)]);
  await until(async () => (await status()) === 503, "it is trusted no more");
  assert.equal(
    await proxy.stat("cluster.up.client_ssl_socket_factory.ssl_context_update_by_sds"),
    2,
  );
  assert.equal(await proxy.stat("cluster_manager.cluster_modified"), 0);
});

forEachProxy("a rotation under handshakes fails none, and none comes late", async (start, open) => {
  const { proxy, controlPlane, port } = await serve(
    start,
    open,
    serverSocket({ tls_certificate_sds_secret_configs: [named("cert")] }),
    ["--concurrency", "2"],
  );
  await controlPlane.accepted("secrets", [secretOf("cert", first)]);
  const bound = await port();
  const rotations = [second, third, first, second];
  const ended = { now: false };
  let handshakes = 0;
  const failures: unknown[] = [];
  const hammer = async (): Promise<void> => {
    while (!ended.now) {
      await securedGet(bound).catch((error: unknown) => failures.push(error));
      handshakes++;
    }
  };
  const clients = Array.from({ length: 8 }, hammer);
  let taken = 0;
  for (const certificate of rotations) {
    const before = handshakes;
    await controlPlane.accepted("secrets", [secretOf("cert", certificate)]);
    taken++;
    const wanted = await serialOf(certificate);
    if (isOther) await until(async () => (await serial(bound)) === wanted, "it is shown");
    else
      await until(
        async () => (await proxy.stat("sluice.tls.contexts_rotated")) >= taken,
        "every worker has it",
      );
    const late = await Promise.all(Array.from({ length: 8 }, () => serial(bound)));
    if (!isOther) assert(late.every((one) => one === wanted));
    await until(() => handshakes > before + 8, "handshakes went on");
  }
  ended.now = true;
  await Promise.all(clients);
  assert.deepEqual(failures, []);
  assert.equal(await proxy.stat("listener.web.ssl.connection_error"), 0);
});
