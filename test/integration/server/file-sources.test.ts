import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { SluiceProgram, adminOnPortZero } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";

const listener = (name: string) => ({
  "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
  name,
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: "tcp",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            stat_prefix: "tcp",
            cluster: "upstream",
          },
        },
      ],
    },
  ],
});

const response = (version: string, ...names: string[]) =>
  JSON.stringify({ version_info: version, resources: names.map(listener) });

test("listeners come from a file, again when another is moved into its place", async () => {
  const bootstrap = {
    admin: adminOnPortZero,
    node: { id: "n", cluster: "c" },
    dynamic_resources: { lds_config: { path_config_source: { path: "lds.json" } } },
  };
  const files = { "b.yaml": JSON.stringify(bootstrap), "lds.json": response("1", "a") };
  await using sluice = new SluiceProgram(
    ["-c", "b.yaml", "--concurrency", "1", "--admin-address-path", "admin"],
    { files },
  );
  const url = await sluice.live();
  const names = async () => {
    const text = await (await fetch(`${url}/listeners`)).text();
    return text.replaceAll(/::.*/g, "").trim();
  };
  assert.equal(await names(), "a");
  writeFileSync(path.join(sluice.folder, "next"), response("2", "b", "c"));
  renameSync(path.join(sluice.folder, "next"), path.join(sluice.folder, "lds.json"));
  await until(async () => (await names()) === "b\nc", "the new file is served");
  const stats = await (await fetch(`${url}/stats?filter=lds`)).text();
  assert.match(stats, /^listener_manager\.lds\.version_text: "2"$/m);
});

test("a path that is not there is refused, in validate mode too", async () => {
  const bootstrap = {
    dynamic_resources: { lds_config: { path_config_source: { path: "/not/there.json" } } },
  };
  for (const mode of ["serve", "validate"]) {
    await using sluice = new SluiceProgram(["-c", "b.yaml", "--mode", mode], {
      files: { "b.yaml": JSON.stringify(bootstrap) },
    });
    assert.equal(await sluice.exit, 1);
    assert.match(sluice.stderr, /lds_config: .*'\/not\/there\.json' does not exist/);
  }
});
