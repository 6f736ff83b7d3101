/**
 * What ends an upgrade or a tunnel that nobody ends: silence, and a length of its own. Each client talks for longer than
 * the timeout first. The same table runs against Sluice and, with SLUICE_TEST_PROXY=envoy, against Envoy.
 */
import assert from "node:assert/strict";
import { frameType } from "../../src/data/http/http2/frames.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient } from "../support/http-peers.ts";
import { block, frame, RawHttp2Client } from "../support/raw-http2.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";
import { until } from "../support/until.ts";

const everyMs = 100;
const talks = 15;

const manager = (fields: object, ofRoute: object = {}): object => ({
  http2_protocol_options: { allow_connect: true },
  upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "CONNECT" }],
  route_config: {
    name: "routes",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ connect_matcher: {} }, { prefix: "/" }].map((match) => ({
          match,
          route: { cluster: "host", ...ofRoute },
        })),
      },
    ],
  },
  ...fields,
});

/** By listener: the stat that counts it, and whether talking keeps it open. */
const timeouts = {
  stream_idle: { stat: "downstream_rq_idle_timeout", talkHelps: true },
  route_idle: { stat: "downstream_rq_idle_timeout", talkHelps: true },
  stream_duration: { stat: "downstream_rq_max_duration_reached", talkHelps: false },
  route_duration: { stat: "downstream_rq_max_duration_reached", talkHelps: false },
  /** The route's timeout is for an answer, and that of requests for a request: neither holds here. */
  request: { stat: undefined, talkHelps: true },
} as const;
const listeners = [
  httpListener("stream_idle", manager({ stream_idle_timeout: "1s" })),
  httpListener("route_idle", manager({}, { idle_timeout: "1s" })),
  httpListener(
    "stream_duration",
    manager({ common_http_protocol_options: { max_stream_duration: "1s" } }),
  ),
  httpListener(
    "route_duration",
    manager({}, { max_stream_duration: { max_stream_duration: "1s" } }),
  ),
  httpListener("request", manager({ request_timeout: "1s" }, { timeout: "1s" })),
];

interface Tunnel {
  readonly says: (text: string) => void;
  readonly heard: () => string;
  readonly hasEnded: () => boolean;
  readonly destroy: () => void;
}

function overHttp1(head: string) {
  return (port: number): Tunnel => {
    const client = new HttpClient(port);
    client.send(head);
    return {
      says: (text) => client.send(text),
      heard: () => client.rest,
      hasEnded: () => client.hasEnded || client.hasClosed,
      destroy: () => void client.socket.destroy(),
    };
  };
}

function overHttp2(port: number): Tunnel {
  const client = new RawHttp2Client(port);
  const fields = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "a"],
  ] as const;
  client.send(frame(frameType.headers, 4, 1, block(fields)));
  const heard = (): string =>
    client.frames
      .filter(({ type }) => type === frameType.data || type === frameType.headers)
      .map(({ type, payload }) => (type === frameType.headers ? "\r\n\r\n" : payload.toString()))
      .join("");
  return {
    says: (text) => client.send(frame(frameType.data, 0, 1, text)),
    heard,
    hasEnded: () =>
      client.hasEnded || client.frames.some(({ type }) => type === frameType.rstStream),
    destroy: () => client.destroy(),
  };
}

const clients = {
  "an upgrade": overHttp1(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  ),
  "a tunnel": overHttp1("CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
  "an upgrade over HTTP/2": overHttp2,
};

forEachProxy("silence and age end tunnels", async (start, open) => {
  const host = open.use(
    await startUpstream((socket) => {
      socket.once("data", (part: Buffer) => {
        const isConnect = part.toString("latin1").startsWith("CONNECT");
        socket.write(
          isConnect
            ? "HTTP/1.1 200 OK\r\n\r\n"
            : "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
        );
        socket.pipe(socket);
      });
    }),
  );
  const clusters = [staticCluster("host", host.port)];
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  const count = Object.keys(clients).length;
  const cases = Object.entries(timeouts).flatMap(([listener, timeout]) =>
    Object.entries(clients).map(([client, make]) => ({ listener, timeout, client, make })),
  );
  await Promise.all(
    cases.map(async ({ listener, timeout, client, make }) => {
      const what = `${client} at ${listener}`;
      const tunnel = make(ports.get(listener) ?? 0);
      await until(() => tunnel.heard().includes("\r\n\r\n"), `${what} is granted`);
      for (let i = 0; i < talks; i++) {
        tunnel.says(`[${i}]`);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
      const last = `[${talks - 1}]`;
      if (timeout.talkHelps) await until(() => tunnel.heard().endsWith(last), `${what} goes on`);
      // Envoy may say so a second later than it listens.
      if (timeout.stat !== undefined) await until(() => tunnel.hasEnded(), `${what} ends`);
      assert.equal(tunnel.heard().endsWith(last), timeout.talkHelps, what);
      tunnel.destroy();
    }),
  );
  for (const [listener, { stat }] of Object.entries(timeouts)) {
    if (stat === undefined) continue;
    assert.equal(await proxy.stat(`http.${listener}.${stat}`), count, listener);
  }
  // No host is left behind.
  await until(() => host.connections.size === 0, "the hosts' connections have ended");
});
