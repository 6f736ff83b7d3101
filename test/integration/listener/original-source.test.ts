/** Where upstream connections come from: `original_src`, `upstream_bind_config`. The same against Envoy, by SLUICE_TEST_PROXY. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { forEachProxy } from "../../support/each-proxy.ts";
import {
  ListenerFilterStage,
  chain,
  cluster,
  listenerFilter,
} from "../../support/listener-filter-stage.ts";
import { TestClient, startUpstream } from "../../support/tcp-peers.ts";

/** Says where its client comes from. */
const whence = (socket: Socket): void => void socket.end(`${socket.remoteAddress}`);

async function source(port: number, header = ""): Promise<string> {
  const client = new TestClient(port);
  client.socket.write(header);
  await client.ended();
  client.socket.destroy();
  return client.received.toString("latin1");
}

/** Needs a right that not every user has. */
const skip = process.getuid?.() === 0 ? false : "needs root: IP_TRANSPARENT";

test("original_src: the upstream sees the client's address", { skip }, async () => {
  await using stage = await ListenerFilterStage.start({
    filters: [
      listenerFilter("proxy_protocol", "ProxyProtocol"),
      listenerFilter("original_src", "OriginalSrc", { mark: 7 }),
    ],
    serve: () => whence,
  });
  assert.equal(await source(stage.port, "PROXY TCP4 127.0.0.9 127.0.0.1 1111 80\r\n"), "127.0.0.9");
  assert.equal(
    await source(stage.port, "PROXY TCP4 127.0.0.10 127.0.0.1 1111 80\r\n"),
    "127.0.0.10",
  );
});

forEachProxy(
  "upstream_bind_config: the upstream sees the address of the cluster",
  async (start, open) => {
    const loopback = { socket_address: { address: "127.0.0.1", port_value: 0 } };
    const { port } = open.use(await startUpstream(whence));
    const bound = (name: string, address: string): object => ({
      ...cluster(name, port),
      upstream_bind_config: { source_address: { address, port_value: 0 } },
    });
    const proxy = await start({
      admin: { address: loopback },
      static_resources: {
        listeners: ["here", "nowhere"].map((name) => ({
          name,
          address: loopback,
          filter_chains: [chain({ name })],
        })),
        clusters: [bound("here", "127.0.0.6"), bound("nowhere", "192.0.2.1")],
      },
    });
    const ports = await proxy.listenerPorts();
    assert.equal(await source(ports.get("here") ?? 0), "127.0.0.6");
    assert.equal(await source(ports.get("nowhere") ?? 0), "", "an address that is not here");
    assert.equal(await proxy.stat("cluster.nowhere.upstream_cx_connect_fail"), 1);
  },
);
