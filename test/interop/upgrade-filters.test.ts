/**
 * `filters` of an upgrade: what asks for it passes those in place of the connection manager's. The same table runs
 * against Sluice and, with SLUICE_TEST_PROXY=envoy, against Envoy.
 */
import assert from "node:assert/strict";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient } from "../support/http-peers.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, staticCluster } from "../support/truth-resources.ts";

const filterType = "type.googleapis.com/envoy.extensions.filters.http";
const router = { name: "router", typed_config: { "@type": `${filterType}.router.v3.Router` } };
const quietRouter = {
  name: "router",
  typed_config: { "@type": `${filterType}.router.v3.Router`, suppress_envoy_headers: true },
};
/** Marks requests and responses that pass it. */
const marks = (value: string): object => {
  const mutations = [{ append: { header: { key: "x-passed", value } } }];
  return {
    name: `marks ${value}`,
    typed_config: {
      "@type": `${filterType}.header_mutation.v3.HeaderMutation`,
      mutations: { request_mutations: mutations, response_mutations: mutations },
    },
  };
};
const route = (path: string, upgrades: readonly object[] = [], fields: object = {}): object => ({
  match: { prefix: path },
  route: { cluster: "host", upgrade_configs: upgrades },
  ...fields,
});
const turnedOff = {
  "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
  disabled: true,
};
const manager = {
  http_filters: [marks("plain"), router],
  upgrade_configs: [
    { upgrade_type: "websocket", filters: [marks("upgrade"), router] },
    { upgrade_type: "none", filters: [] },
    { upgrade_type: "off", enabled: false, filters: [marks("off"), router] },
    { upgrade_type: "quiet", filters: [marks("quiet"), quietRouter] },
    { upgrade_type: "CONNECT", filters: [marks("connect"), router] },
  ],
  route_config: {
    name: "routes",
    virtual_hosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          { match: { connect_matcher: {} }, route: { cluster: "host" } },
          route("/on", [{ upgrade_type: "off" }]),
          route("/own", [{ upgrade_type: "own" }]),
          route("/disabled", [{ upgrade_type: "websocket", enabled: false }]),
          route("/unmarked", [], { typed_per_filter_config: { "marks upgrade": turnedOff } }),
          route("/other", [], { typed_per_filter_config: { "marks plain": turnedOff } }),
          {
            match: { prefix: "/moved" },
            route: { cluster: "host", prefix_rewrite: "/", host_rewrite_literal: "b" },
          },
          route("/"),
        ],
      },
    ],
  },
};

const upgrade = (type: string, path = "/"): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${type}\r\n\r\n`;

const routers = ["expected-rq-timeout-ms", "original-host", "original-path"].map(
  (name) => `x-envoy-${name}`,
);

interface Case {
  readonly text: string;
  readonly status: number;
  /** As the host saw it; undefined: it saw nothing. */
  readonly asked: string | undefined;
  /** As the client sees it. */
  readonly answered: string | undefined;
  /** Its `x-envoy-` fields, and those of its answer, where they are looked at. */
  readonly told?: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "a plain request": {
    text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    status: 200,
    asked: "plain",
    answered: "plain",
  },
  "an upgrade": { text: upgrade("websocket"), status: 101, asked: "upgrade", answered: "upgrade" },
  "in another case": {
    text: upgrade("WebSocket"),
    status: 101,
    asked: "upgrade",
    answered: "upgrade",
  },
  "one without filters of its own": {
    text: upgrade("none"),
    status: 101,
    asked: "plain",
    answered: "plain",
  },
  "one that the route turns on": {
    text: upgrade("off", "/on"),
    status: 101,
    asked: "off",
    answered: "off",
  },
  "one that is off": { text: upgrade("off"), status: 403, asked: undefined, answered: "plain" },
  "one that the route alone knows": {
    text: upgrade("own", "/own"),
    status: 101,
    asked: "plain",
    answered: "plain",
  },
  "one that the route turns off": {
    text: upgrade("websocket", "/disabled"),
    status: 403,
    asked: undefined,
    answered: "plain",
  },
  "one whose filter the route turns off": {
    text: upgrade("websocket", "/unmarked"),
    status: 101,
    asked: undefined,
    answered: undefined,
  },
  "one where the route turns off what it does not pass": {
    text: upgrade("websocket", "/other"),
    status: 101,
    asked: "upgrade",
    answered: "upgrade",
  },
  "a plain request whose router speaks": {
    text: "GET /moved HTTP/1.1\r\nHost: a\r\n\r\n",
    status: 200,
    asked: "plain",
    answered: "plain",
    told: [...routers, "x-envoy-upstream-service-time"],
  },
  "one whose own router speaks": {
    text: upgrade("websocket", "/moved"),
    status: 101,
    asked: "upgrade",
    answered: "upgrade",
    told: routers,
  },
  "one whose own router is silent": {
    text: upgrade("quiet", "/moved"),
    status: 101,
    asked: "quiet",
    answered: "quiet",
    told: [],
  },
  "one whose own router is silent, declined": {
    text: upgrade("quiet", "/moved/declined"),
    status: 200,
    asked: "quiet",
    answered: "quiet",
    told: [],
  },
  CONNECT: {
    text: "CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    status: 200,
    asked: "connect",
    answered: "connect",
  },
};

forEachProxy("an upgrade passes the filters of its own", async (start, open) => {
  const heads: string[] = [];
  const host = open.use(
    await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => {
        const head = part.toString("latin1");
        heads.push(head);
        socket.write(answerOf(head));
      });
      socket.on("end", () => socket.end());
    }),
  );
  const listeners = [httpListener("web", manager)];
  const clusters = [staticCluster("host", host.port)];
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const port = (await proxy.listenerPorts()).get("web") ?? 0;
  const passed = (head: string | undefined): string | undefined =>
    /\r\nx-passed: (\w+)/.exec(head ?? "")?.[1];
  for (const [what, each] of Object.entries(cases)) {
    const client = new HttpClient(port);
    const before = heads.length;
    client.send(each.text);
    await client.until(() => client.rest.includes("\r\n\r\n"));
    const seen = {
      status: Number(client.rest.split(" ")[1]),
      asked: passed(heads[before]),
      answered: passed(client.rest),
    };
    const { status, asked, answered, told } = each;
    assert.deepEqual(seen, { status, asked, answered }, what);
    if (told) assert.deepEqual(toldIn((heads[before] ?? "") + client.rest), told, what);
    client.socket.destroy();
  }
});

function toldIn(heads: string): readonly string[] {
  return [...heads.matchAll(/^x-envoy-[^:]+/gm)].map(String).toSorted();
}

function answerOf(head: string): string {
  if (head.startsWith("CONNECT")) return "HTTP/1.1 200 OK\r\n\r\n";
  const type = /\r\nupgrade: (\w+)/i.exec(head)?.[1];
  if (head.includes("/declined")) return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  if (type === undefined) return "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  return `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${type}\r\n\r\n`;
}
