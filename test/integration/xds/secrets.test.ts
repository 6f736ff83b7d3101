import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import {
  credentialInjector,
  filteredListener,
  genericSecret,
  secretFile,
} from "../../support/secret-resources.ts";
import { dynamicBootstrap, fromAds, staticCluster } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

/** Answers with the credential that it got. */
async function echo(open: AsyncDisposableStack): Promise<number> {
  const server = createServer((request, response) =>
    response.end(request.headers.authorization ?? "none"),
  );
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function folder(open: AsyncDisposableStack): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "sluice-secrets-"));
  open.defer(() => rm(made, { recursive: true }));
  return made;
}

/** As a whole, as everything that is watched is replaced. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

interface Served {
  readonly proxy: ProxyProcess;
  readonly answer: (headers?: Record<string, string>) => Promise<string>;
}

/** The proxy with a static cluster `up`, and its listener `web` when it is bound. */
async function serve(open: AsyncDisposableStack, bootstrap: object): Promise<Served> {
  const proxy = open.use(await ProxyProcess.start(bootstrap));
  const answer = async (headers: Record<string, string> = {}): Promise<string> => {
    const port = await until(async () => (await proxy.listenerPorts()).get("web"), "it serves");
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers });
    return `${response.status} ${await response.text()}`;
  };
  return { proxy, answer };
}

function withUpstream(bootstrap: object, port: number, listeners: readonly object[] = []): object {
  const base = bootstrap as { static_resources: { clusters: object[] } };
  const clusters = [...base.static_resources.clusters, staticCluster("up", port)];
  return { ...base, static_resources: { ...base.static_resources, clusters, listeners } };
}

const missing = "401 Failed to inject credential.";

test("a listener warms on its secret, takes every new one without a drain, and refuses a broken one", async () => {
  await using open = new AsyncDisposableStack();
  const controlPlane = open.use(await PushingServer.start());
  const patient = { ...fromAds, initial_fetch_timeout: "0s" };
  controlPlane.offer("clusters", []);
  controlPlane.offer("listeners", []);
  const bootstrap = withUpstream(dynamicBootstrap(controlPlane.address), await echo(open));
  const { proxy, answer } = await serve(open, bootstrap);
  await controlPlane.accepted("listeners", [
    filteredListener("web", "up", [credentialInjector("token", patient)]),
  ]);
  assert.match(await proxy.admin("/init_dump"), /(sds|SdsApi) token/);
  assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 1);

  await controlPlane.accepted("secrets", [genericSecret("token", "Bearer one")]);
  assert.equal(await answer(), "200 Bearer one");
  assert.equal(await answer({ authorization: "mine" }), "200 mine");

  await controlPlane.accepted("secrets", [genericSecret("token", "Bearer two")]);
  await until(async () => (await answer()) === "200 Bearer two", "the new secret is used");
  assert.equal(await proxy.stat("listener_manager.total_listeners_draining"), 0);
  assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);

  const broken = { name: "token", generic_secret: { secret: { filename: "/etc/no-such-file" } } };
  const verdict = await controlPlane.push("secrets", [broken]);
  assert(verdict.kind === "nacked");
  assert.match(verdict.error, /Invalid path: \/etc\/no-such-file/);
  assert.equal(await answer(), "200 Bearer two");
  assert.equal(await proxy.stat("sds.token.update_rejected"), 1);
  assert.equal(await proxy.stat("sds.token.update_success"), 2);
  assert(Number(await proxy.stat("http.web.credential_injector.injected")) >= 3);
  assert.equal(await proxy.stat("http.web.credential_injector.already_exists"), 1);

  const dump = await proxy.admin("/config_dump?resource=dynamic_active_secrets");
  assert.match(dump, /"inline_string": "\[redacted\]"/);
  assert.doesNotMatch(await proxy.admin("/config_dump"), /Bearer/);
});

test("a secret that does not come in time lets the listener serve without it", async () => {
  await using open = new AsyncDisposableStack();
  const controlPlane = open.use(await PushingServer.start());
  controlPlane.offer("clusters", []);
  controlPlane.offer("listeners", [
    filteredListener("web", "up", [
      credentialInjector("token", { ...fromAds, initial_fetch_timeout: "0.2s" }),
    ]),
  ]);
  const bootstrap = withUpstream(dynamicBootstrap(controlPlane.address), await echo(open));
  const { proxy, answer } = await serve(open, bootstrap);
  assert.equal(await answer(), missing);
  assert.equal(await proxy.stat("sds.token.init_fetch_timeout"), 1);
  assert.equal(await proxy.stat("http.web.credential_injector.failed"), 1);
  assert.match(
    await proxy.admin("/config_dump?resource=dynamic_warming_secrets"),
    /"version_info": "uninitialized"/,
  );
  await controlPlane.accepted("secrets", [genericSecret("token", "late")]);
  await until(async () => (await answer()) === "200 late", "it came after all");
});

test("secrets come from files, and the files that they name are watched", async () => {
  await using open = new AsyncDisposableStack();
  const made = await folder(open);
  const [sds, token] = [path.join(made, "sds.json"), path.join(made, "token")];
  await writeFile(token, "from a file\n");
  const ofFile = { name: "token", generic_secret: { secret: { filename: token } } };
  await writeFile(sds, secretFile("1", [ofFile]));
  const source = { path_config_source: { path: sds }, resource_api_version: "V3" };
  const listener = filteredListener("web", "up", [credentialInjector("token", source)]);
  const base = {
    node: { id: "n", cluster: "c" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
  };
  const bootstrap = withUpstream(
    { ...base, static_resources: { clusters: [] } },
    await echo(open),
    [listener],
  );
  const { proxy, answer } = await serve(open, bootstrap);
  assert.equal(await answer(), "200 from a file");
  await replace(token, "rotated\n");
  await until(async () => (await answer()) === "200 rotated", "the file was read again");
  await rm(token);
  await until(
    async () => (await proxy.stat("sds.token.key_rotation_failed")) > 0,
    "the file is missed",
  );
  assert.equal(await answer(), "200 rotated");
  await replace(sds, secretFile("2", [genericSecret("token", "another")]));
  await until(async () => (await answer()) === "200 another", "the resource is another");
});

test("a secret of the bootstrap is there from the start", async () => {
  await using open = new AsyncDisposableStack();
  const listener = filteredListener("web", "up", [credentialInjector("fixed", "bootstrap")]);
  const base = {
    node: { id: "n", cluster: "c" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: { clusters: [], secrets: [genericSecret("fixed", "from the start")] },
  };
  const { proxy, answer } = await serve(open, withUpstream(base, await echo(open), [listener]));
  assert.equal(await answer(), "200 from the start");
  const dump = await proxy.admin("/config_dump");
  assert.match(dump, /"static_secrets"/);
  assert.doesNotMatch(dump, /from the start/);
});
