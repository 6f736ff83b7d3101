/**
 * The listener through which all of a sidecar's inbound traffic comes, as istiod sends it: its listener filters and the
 * matches of its 16 chains. A PROXY header stands for the redirect. The same against Envoy, by SLUICE_TEST_PROXY.
 */
import assert from "node:assert/strict";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Listener } from "../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type { DiscoveryResponse } from "../../gen/es/envoy/service/discovery/v3/discovery_pb.d.ts";
import { clientHello } from "../support/client-hello-bytes.ts";
import { configTools } from "../support/config-tools.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { chain, cluster, echo, listenerFilter } from "../support/listener-filter-stage.ts";
import { TestClient, startUpstream } from "../support/tcp-peers.ts";
import { readRecording } from "./istio/recording.ts";

const { protos } = configTools;

function virtualInbound(): Listener {
  const first = readRecording("sidecar-sotw").entries.find(
    (entry) => entry.kind === "response" && entry.type === "LDS",
  );
  assert(first?.kind === "response");
  const responses = protos.schema<DiscoveryResponse>(
    "envoy.service.discovery.v3.DiscoveryResponse",
  );
  const listeners = protos.schema<Listener>("envoy.config.listener.v3.Listener");
  const found = fromBinary(responses, first.bytes)
    .resources.map(({ value }) => fromBinary(listeners, value))
    .find(({ name }) => name === "virtualInbound");
  assert(found);
  return found;
}

const json = <T extends Message>(typeName: T["$typeName"], message: T): object =>
  toJson(protos.schema<T>(typeName) as GenMessage<T>, message, {
    registry: protos.types,
    useProtoFieldName: true,
  }) as object;

const tls = (...alpn: readonly string[]): Buffer =>
  Buffer.from(clientHello({ serverName: "a.test", alpn }));
const http = Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
const http2 = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const other = Buffer.from("\u0001no protocol that anybody knows\r\n\r\n");

/** To which port, with which first bytes; the place of the chain in the listener, or none. */
const visits: readonly (readonly [port: number, bytes: Buffer, place: number | undefined])[] = [
  [15006, other, 0],
  [15006, tls("istio"), 0],
  [8080, tls("istio-http/1.1"), 1],
  [8080, tls("h2", "istio-h2"), 1],
  [8080, http, 2],
  [8080, http2, 2],
  [8080, tls("istio"), 3],
  [8080, tls("istio-peer-exchange", "istio"), 3],
  [8080, other, 4],
  [8080, tls("h2", "http/1.1"), 5],
  [8080, tls(), 5],
  [19021, tls("istio-h2"), 6],
  [19021, tls("istio"), 6],
  [19021, http, 7],
  [19021, other, 7],
  // Criteria are looked at in their order: the port is found, and has no chain for this.
  [19021, tls("h2"), undefined],
  [19022, tls("istio-http/1.0"), 8],
  [19022, tls("http/1.1"), 9],
  [19022, http, 10],
  [19023, tls("istio-http/1.0"), 11],
  [19023, http, 12],
  [19023, http2, 12],
  [19023, tls("istio-peer-exchange"), 13],
  [19023, other, 14],
  [19023, tls("h2"), 15],
];

forEachProxy(
  "each chain of virtualInbound has the connections that are meant for it",
  async (start, open) => {
    const { filterChains, listenerFilters } = virtualInbound();
    assert.equal(filterChains.length, 16);
    const names = filterChains.map((_, place) => `chain-${place}`);
    const clusters: object[] = [];
    for (const name of names)
      clusters.push(cluster(name, open.use(await startUpstream(echo(name))).port));
    const proxy = await start({
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
      static_resources: {
        clusters,
        listeners: [
          {
            name: "virtualInbound",
            stat_prefix: "inbound",
            address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
            listener_filters_timeout: "0s",
            continue_on_listener_filters_timeout: true,
            listener_filters: [
              listenerFilter("proxy_protocol", "ProxyProtocol"),
              ...listenerFilters.map((filter) =>
                json("envoy.config.listener.v3.ListenerFilter", filter),
              ),
            ],
            filter_chains: filterChains.map(({ filterChainMatch }, place) => {
              assert(filterChainMatch);
              const match = json("envoy.config.listener.v3.FilterChainMatch", filterChainMatch);
              return chain({ name: `chain-${place}`, match });
            }),
          },
        ],
      },
    });
    const port = (await proxy.listenerPorts()).get("virtualInbound") ?? 0;
    const seen = new Set<number | undefined>();
    for (const [destination, bytes, place] of visits) {
      const client = new TestClient(port);
      client.socket.write(`PROXY TCP4 10.0.0.1 192.0.2.1 1111 ${destination}\r\n`);
      client.socket.write(bytes);
      await Promise.race([client.until(() => client.received.includes(":")), client.ended()]);
      client.socket.destroy();
      const name = client.received.toString("latin1").split(":")[0];
      const what = `${destination} ${bytes.toString("latin1", 0, 20)}`;
      assert.equal(name, place === undefined ? "" : `chain-${place}`, what);
      seen.add(place);
    }
    assert.equal(seen.size, names.length + 1, "every chain was reached, and none once");
    assert.equal(await proxy.stat("listener.inbound.no_filter_chain_match"), 1);
  },
);
