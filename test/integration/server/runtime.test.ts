import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { SluiceProgram, tcpBootstrap } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const limitKey = "envoy.resource_limits.listener.tcp.connection_limit";

const response = (version: string, ...layers: readonly object[]) =>
  JSON.stringify({
    version_info: version,
    resources: layers.map((layer) => ({
      "@type": "type.googleapis.com/envoy.service.runtime.v3.Runtime",
      name: "limits",
      layer,
    })),
  });

const layers = [
  { name: "base", static_layer: { [limitKey]: 1, other: "x" } },
  {
    name: "pushed",
    rtds_layer: { name: "limits", rtds_config: { path_config_source: { path: "rtds.json" } } },
  },
  { name: "admin", admin_layer: {} },
];

async function admin(url: string, path: string, init?: RequestInit): Promise<string> {
  return await (await fetch(`${url}${path}`, init)).text();
}

async function stat(url: string, name: string): Promise<number> {
  const text = await admin(url, `/stats?filter=^${name.replaceAll(".", "\\.")}$`);
  return Number(/: (\d+)/.exec(text)?.[1]);
}

/** One that is kept open, or undefined where the proxy closed it at once. */
async function kept(port: number, sockets: Socket[]): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  return await new Promise((resolve) => {
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    socket.on("data", () => resolve(true));
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  });
}

test("a listener's connection limit follows runtime: static layer, RTDS, admin", async () => {
  using upstream = await HttpUpstream.start("up");
  const bootstrap = { ...tcpBootstrap(upstream.port), layered_runtime: { layers } };
  const files = { "b.yaml": JSON.stringify(bootstrap), "rtds.json": response("1", {}) };
  await using sluice = new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "1", "--admin-address-path", "admin"],
    { files },
  );
  const url = await sluice.live();
  const listeners = await admin(url, "/listeners");
  const port = Number(/tcp::127\.0\.0\.1:(\d+)/.exec(listeners)?.[1]);
  const sockets: Socket[] = [];
  const move = (text: string): void => {
    writeFileSync(path.join(sluice.folder, "next"), text);
    renameSync(path.join(sluice.folder, "next"), path.join(sluice.folder, "rtds.json"));
  };
  const shown = async (): Promise<unknown> =>
    JSON.parse(await admin(url, "/runtime")).entries[limitKey];
  try {
    assert(await kept(port, sockets));
    assert.equal(await kept(port, sockets), false, "the static layer says 1");

    move(response("2", { [limitKey]: 2 }));
    await until(async () => (await stat(url, "runtime.update_success")) === 2, "2 is loaded");
    assert.deepEqual(await shown(), { final_value: "2", layer_values: ["1", "2", ""] });
    assert(await kept(port, sockets));
    assert.equal(await kept(port, sockets), false, "RTDS says 2");

    const form = { method: "POST", body: new URLSearchParams({ [limitKey]: "3" }) };
    assert.equal(await admin(url, "/runtime_modify", form), "OK\n");
    assert.equal(await stat(url, "runtime.admin_overrides_active"), 1);
    assert(await kept(port, sockets));
    assert.equal(await kept(port, sockets), false, "the admin says 3");
    await admin(url, `/runtime_modify?${limitKey}=`, { method: "POST" });
    assert.deepEqual(await shown(), { final_value: "2", layer_values: ["1", "2", ""] });

    move(response("3", { [limitKey]: [1] }));
    await until(async () => (await stat(url, "runtime.update_rejected")) === 1, "3 is refused");
    assert.match(
      sluice.stderr,
      /rejected: .*Invalid runtime entry value for envoy\.resource_limits/,
    );
    assert.deepEqual(await shown(), { final_value: "2", layer_values: ["1", "2", ""] });
    const status = JSON.parse(await admin(url, "/status"));
    const row = status.resources.find(({ type }: { type: string }) => type === "RTDS");
    assert.deepEqual([row.name, row.state, row.version], ["limits", "nacked", "3"]);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test("start-up waits for RTDS and says so; a source that is not there ends it", async () => {
  const source = { api_config_source: { api_type: "GRPC", transport_api_version: "V3" } };
  const grpc = [{ envoy_grpc: { cluster_name: "upstream" } }];
  const layer = (rtdsConfig: object) => ({
    node: { id: "n", cluster: "c" },
    layered_runtime: {
      layers: [{ name: "pushed", rtds_layer: { name: "limits", rtds_config: rtdsConfig } }],
    },
  });
  // Nobody listens on port 1.
  const waiting = {
    ...tcpBootstrap(1),
    ...layer({
      api_config_source: { ...source.api_config_source, grpc_services: grpc },
      initial_fetch_timeout: "0s",
    }),
  };
  await using sluice = new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "1", "--admin-address-path", "admin"],
    { files: { "b.yaml": JSON.stringify(waiting) } },
  );
  const url = await sluice.adminUrl();
  await until(
    async () => (await admin(url, "/init_dump")).includes("RTDS limits"),
    "it waits for RTDS",
  );
  assert.equal((await fetch(`${url}/ready`)).status, 503);

  const missing = layer({ path_config_source: { path: "/not/there.json" } });
  for (const mode of ["serve", "validate"]) {
    await using other = new SluiceProgram(["-c", "b.yaml", "--mode", mode], {
      files: { "b.yaml": JSON.stringify(missing) },
    });
    assert.equal(await other.exit, 1);
    assert.match(other.stderr, /layer 'pushed': .*'\/not\/there\.json' does not exist/);
  }
});
