/**
 * `proxy_protocol_config` of a tunnel that ends here: the host learns from a PROXY header whose bytes they are. The same
 * table runs against Sluice and, with SLUICE_TEST_PROXY=envoy, against Envoy.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { frameType } from "../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { version2 } from "../support/proxy-header-bytes.ts";
import { block, type Fields, frame, RawHttp2Client } from "../support/raw-http2.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

const routes = (connectConfig: object): object => ({
  http2_protocol_options: { allow_connect: true },
  upgrade_configs: [{ upgrade_type: "CONNECT" }],
  route_config: {
    name: "routes",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ connect_matcher: {} }, { prefix: "/" }].map((match) => ({
          match,
          route: {
            cluster: "tcp",
            upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: connectConfig }],
          },
        })),
      },
    ],
  },
});
const versions = {
  none: {},
  default: { allow_post: true, proxy_protocol_config: {} },
  v1: { allow_post: true, proxy_protocol_config: { version: "V1" } },
  v2: { allow_post: true, proxy_protocol_config: { version: "V2" } },
  tlvs: {
    allow_post: true,
    proxy_protocol_config: { version: "V2", pass_through_tlvs: { match_type: "INCLUDE_ALL" } },
  },
};
const readsHeader = {
  listener_filters: [
    {
      name: "envoy.filters.listener.proxy_protocol",
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        pass_through_tlvs: { match_type: "INCLUDE_ALL" },
      },
    },
  ],
};
const over6 = {
  address: { socket_address: { address: "::1", port_value: 0 } },
};

const connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const ip4 = { source: "192.0.2.7", destination: "192.0.2.8", ports: [7, 8] } as const;
const ip6 = { source: "2001:db8::7", destination: "2001:db8::8", ports: [7, 8] } as const;
const extension = Buffer.from([0xe0, 0, 2, 0x61, 0x62]);

interface Case {
  readonly listener: string;
  readonly text?: string;
  /** What the client says before. */
  readonly header?: Buffer;
  /** What the host hears before `hello`, of a client at `own` and a listener at `port`. */
  readonly heard: (own: number, port: number) => Buffer;
}

const line =
  (family: string, ip: string): Case["heard"] =>
  (own, port) =>
    Buffer.from(`PROXY ${family} ${ip} ${ip} ${own} ${port}\r\n`);
const binary =
  (ip: string): Case["heard"] =>
  (own, port) =>
    version2({ source: ip, destination: ip, ports: [own, port] });
const nothing: Case["heard"] = () => Buffer.alloc(0);

const cases: Readonly<Record<string, Case>> = {
  "none asked for": { listener: "none", heard: nothing },
  "none, of a proxied client": {
    listener: "none behind a proxy",
    header: version2(ip4),
    heard: nothing,
  },
  "the default": { listener: "default", heard: line("TCP4", "127.0.0.1") },
  "version 1": { listener: "v1", heard: line("TCP4", "127.0.0.1") },
  "version 1 over IPv6": { listener: "v1 over 6", heard: line("TCP6", "::1") },
  "version 1 of a proxied client": {
    listener: "v1 behind a proxy",
    header: version2(ip4),
    heard: () => Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.8 7 8\r\n"),
  },
  "version 1 of a client proxied over IPv6": {
    listener: "v1 behind a proxy",
    header: version2(ip6),
    heard: () => Buffer.from("PROXY TCP6 2001:db8::7 2001:db8::8 7 8\r\n"),
  },
  "version 1 of a POST": { listener: "v1", text: post, heard: line("TCP4", "127.0.0.1") },
  "version 1 for whom x-forwarded-for says": {
    listener: "v1",
    text: connect.replace("Host", "X-Forwarded-For: 203.0.113.9\r\nHost"),
    heard: line("TCP4", "127.0.0.1"),
  },
  "version 2": { listener: "v2", heard: binary("127.0.0.1") },
  "version 2 over IPv6": { listener: "v2 over 6", heard: binary("::1") },
  "version 2 of a proxied client": {
    listener: "v2 behind a proxy",
    header: version2(ip4),
    heard: () => version2(ip4),
  },
  "version 2 of a client proxied over IPv6": {
    listener: "v2 behind a proxy",
    header: version2(ip6),
    heard: () => version2(ip6),
  },
  "version 2 of a POST": { listener: "v2", text: post, heard: binary("127.0.0.1") },
  "version 2 with extensions to pass through": {
    listener: "tlvs behind a proxy",
    header: version2({ ...ip4, tlvs: extension }),
    heard: () => version2(ip4),
  },
};

forEachProxy("a host learns from a PROXY header whose bytes they are", async (start, open) => {
  const heads: Buffer[] = [];
  const upstream = open.use(
    await startUpstream((socket) => {
      const index = heads.push(Buffer.alloc(0)) - 1;
      socket.on("data", (part: Buffer) => {
        heads[index] = Buffer.concat([heads[index] ?? Buffer.alloc(0), part]);
      });
      socket.on("end", () => socket.end());
    }),
  );
  const listeners = Object.entries(versions).flatMap(([name, config]) => [
    httpListener(name, routes(config)),
    httpListener(`${name} behind a proxy`, routes(config), readsHeader),
    httpListener(`${name} over 6`, routes(config), over6),
  ]);
  const clusters = [staticCluster("tcp", upstream.port)];
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  for (const [what, each] of Object.entries(cases)) {
    const port = ports.get(each.listener) ?? 0;
    const host = each.listener.endsWith("6") ? "::1" : "127.0.0.1";
    const before = heads.length;
    const socket = net.connect({ port, host });
    await once(socket, "connect");
    const said = Buffer.from(`${each.text ?? connect}hello`);
    socket.write(Buffer.concat([each.header ?? Buffer.alloc(0), said]));
    await until(() => heads[before]?.includes("hello"), `${what}: the host hears hello`);
    const wanted = Buffer.concat([each.heard(socket.localPort ?? 0, port), Buffer.from("hello")]);
    assert.equal(heads[before]?.toString("latin1"), wanted.toString("latin1"), what);
    socket.destroy();
  }
  // It does not wait for the client's first byte: the host may be the one that speaks first.
  const fields: Fields = [
    [":method", "CONNECT"],
    [":authority", "a.test:443"],
  ];
  const client = new RawHttp2Client(ports.get("v1") ?? 0);
  const before = heads.length;
  client.send(frame(frameType.headers, 4, 1, block(fields)));
  await until(() => heads[before]?.includes("\r\n"), "a header with nothing said");
  assert.match(
    heads[before]?.toString() ?? "",
    /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/,
  );
  client.destroy();
});
