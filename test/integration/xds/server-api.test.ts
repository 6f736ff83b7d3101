import assert from "node:assert/strict";
import { request } from "node:http";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import { aggregatedDiscovery } from "../../../src/control/proto/discovery-services.ts";
import { ApiServer } from "../../../src/xds-server/api/api-server.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { ResourceReader } from "../../../src/xds-server/resource-reader.ts";
import { RawXdsClient } from "../../support/raw-xds-client.ts";

/** The HTTP API: what is pushed is checked whole, and what clients said of it can be read. */
const address = (port: number): object => ({
  socket_address: { address: "127.0.0.1", port_value: port },
});
const listener = (name: string, port = 1): object => ({ name, address: address(port) });
const cluster = (name: string): object => ({ name, type: "STATIC", connect_timeout: "1s" });

interface Said {
  readonly status: number;
  readonly json: Record<string, unknown> & { readonly errors?: readonly string[] };
}

suite("the management server's HTTP API", () => {
  const started = new AsyncDisposableStack();
  const reader = new ResourceReader();
  let server: ManagementServer;
  let api: ApiServer;

  before(async () => {
    server = started.use(await ManagementServer.start({ protos: reader.protos }));
    api = started.use(await ApiServer.listen({ server, reader, bodyBytesMax: 100_000 }));
  });
  after(() => started.disposeAsync());

  async function say(method: string, path: string, body?: object | string): Promise<Said> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method, ...(body !== undefined && { body: text }) };
    const response = await fetch(`http://127.0.0.1:${api.port}${path}`, init);
    return { status: response.status, json: (await response.json()) as Said["json"] };
  }

  const names = (word: string): Promise<readonly string[]> =>
    say("GET", `/resources/${word}`).then(({ json }) =>
      (json as unknown as { name: string }[]).map(({ name }) => name),
    );

  test("a whole set replaces everything; YAML and JSON", async () => {
    const first = await say("PUT", "/resources", {
      listeners: [listener("a"), listener("b")],
      CDS: [cluster("c")],
    });
    assert.equal(first.status, 200, JSON.stringify(first.json));
    const yaml = "clusters:\n- {name: d, type: STATIC, connect_timeout: 1s}\n";
    const { json } = await say("PUT", "/resources", yaml);
    assert.deepEqual(
      (json["changed"] as { type: string; resources: number }[]).map((one) => [
        one.type,
        one.resources,
      ]),
      [
        ["CDS", 1],
        ["LDS", 0],
      ],
    );
    assert.deepEqual(await names("clusters"), ["d"]);
    assert.deepEqual(await names("LDS"), []);
  });

  test("one type, and one resource: put, read as it was sent, deleted", async () => {
    await say("PUT", "/resources/listeners", [listener("a")]);
    assert.equal((await say("PUT", "/resources/listeners/b", listener("b", 2))).status, 200);
    assert.deepEqual(await names("listeners"), ["a", "b"]);
    assert.deepEqual((await say("GET", "/resources/listeners/b")).json, listener("b", 2));
    assert.equal((await say("DELETE", "/resources/listeners/a")).status, 200);
    assert.deepEqual(await names("listeners"), ["b"]);
    assert.equal((await say("DELETE", "/resources/listeners/a")).status, 404);
    const misnamed = await say("PUT", "/resources/listeners/c", listener("d"));
    assert.deepEqual(misnamed.json.errors, ["name: 'd' is not 'c' of the path"]);
  });

  test("a name may have slashes, a type may be a URL", async () => {
    const host = { name: "rc/host", domains: ["*"] };
    assert.equal((await say("PUT", "/resources/VHDS/rc/host", host)).status, 200);
    assert.deepEqual((await say("GET", "/resources/VHDS/rc%2Fhost")).json, host);
    const path = `/resources/${encodeURIComponent("type.googleapis.com/example.Unknown")}`;
    const opaque = [{ name: "x", value: "AAE=" }];
    assert.equal((await say("PUT", path, opaque)).status, 200);
    assert.deepEqual((await say("GET", path)).json, opaque);
  });

  test("a TTL and aliases come in the wrapper, and go back in it", async () => {
    const wrapped = {
      "@type": "type.googleapis.com/envoy.service.discovery.v3.Resource",
      name: "w",
      aliases: ["other"],
      ttl: "1.5s",
      resource: cluster("w"),
    };
    await say("PUT", "/resources/clusters", [wrapped]);
    assert.deepEqual((await say("GET", "/resources/clusters/w")).json, wrapped);
    await say("PUT", "/resources/clusters", []);
  });

  test("a push with mistakes changes nothing, and each is told with its place", async () => {
    await say("PUT", "/resources", { listeners: [listener("good")] });
    const { status, json } = await say("PUT", "/resources", {
      listeners: [listener("x"), { ...listener("y"), bogus: 1 }],
      clusters: [
        { name: "z", connect_timeout: "soon" },
        { ...cluster("n"), name: "" },
      ],
      nonsense: [],
      routes: "none",
      endpoints: [{ cluster_name: "twice" }, { cluster_name: "twice" }],
    });
    assert.equal(status, 400);
    const text = json.errors?.join("\n") ?? "";
    for (const part of [
      /^listeners\[1\]: .*bogus/m,
      /^clusters\[0\]: .*connect_timeout/m,
      /^clusters\[1\]: .*[Nn]ame/m,
      /^unknown type 'nonsense'/m,
      /^routes: a .* must be a mapping/m,
      /^endpoints: duplicate twice/m,
    ])
      assert.match(text, part);
    assert.deepEqual(await names("listeners"), ["good"]);
    const late = await say("PUT", "/resources/listeners?wait=soon", [listener("x")]);
    assert.match(late.json.errors?.join() ?? "", /wait: 'soon' is no time/);
    assert.deepEqual(await names("listeners"), ["good"], "nor with a wrong query");
  });

  test("a push can wait for the answers, and /clients tells what each client said", async () => {
    using client = new RawXdsClient(server.port, aggregatedDiscovery().stream);
    client.ask("LDS");
    const first = await client.response();
    client.ask("LDS", { nonce: first.nonce, version: first.version });
    assert.equal((await say("GET", "/clients?wait=10s")).json["settled"], true);
    const pushing = say("PUT", "/resources/listeners?wait=10s", [listener("bad")]);
    const second = await client.response();
    client.ask("LDS", { nonce: second.nonce, version: first.version, error: "no good" });
    const { json } = await pushing;
    assert.equal(json["settled"], true);
    assert.deepEqual(json["clients"], [
      {
        node: "raw",
        cluster: "",
        variant: "state of the world",
        types: [
          {
            type: "LDS",
            type_url: first.typeUrl,
            subscribed: ["*"],
            responses: 2,
            state: "nacked",
            acked: first.version,
            nacked: { version: second.version, error: "no good" },
          },
        ],
      },
    ]);
    await say("PUT", "/resources/listeners", [listener("late")]);
    assert.equal((await say("GET", "/clients")).json["settled"], false);
  });

  test("resources of one node are its own", async () => {
    await say("PUT", "/resources/clusters", [cluster("all")]);
    await say("PUT", "/resources/clusters?node=raw", [cluster("mine")]);
    using client = new RawXdsClient(server.port, aggregatedDiscovery().stream);
    client.ask("CDS");
    const { resources } = await client.response();
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["all", "mine"],
    );
  });

  test("faults are set, counted and cleared", async () => {
    const bad = await say("PUT", "/faults", [{ kind: "delay" }]);
    assert.deepEqual([bad.status, bad.json.errors], [400, ["[0].delay_ms: delay needs it"]]);
    const set = await say("PUT", "/faults", [{ kind: "drop", type: "listeners", times: 2 }]);
    assert.equal(set.status, 200);
    using client = new RawXdsClient(server.port, aggregatedDiscovery().stream);
    client.ask("LDS");
    client.ask("CDS");
    assert.match((await client.response()).typeUrl, /Cluster$/);
    const [fault] = (await say("GET", "/faults")).json as unknown as Record<string, unknown>[];
    assert.deepEqual([fault?.["applied"], fault?.["left"]], [1, 1]);
    assert.deepEqual((await say("DELETE", "/faults")).json, []);
  });

  test("streams are closed with a status, connections are reset", async () => {
    using client = new RawXdsClient(server.port, aggregatedDiscovery().stream);
    client.ask("CDS");
    await client.response();
    assert.equal((await say("POST", "/close?code=7&message=go")).status, 200);
    assert.deepEqual(await client.end(), { code: 7, details: "go" });
    assert.equal((await say("POST", "/close?code=99")).status, 400);
    using next = new RawXdsClient(server.port, aggregatedDiscovery().stream);
    next.ask("CDS");
    await next.response();
    await say("POST", "/reset");
    assert.equal((await next.end()).code, 14);
  });

  test("wrong paths, methods and lengths are told", async () => {
    assert.equal((await say("GET", "/nothing")).status, 404);
    assert.equal((await say("GET", "/resources/nothing")).status, 404);
    for (const [method, path] of [
      ["POST", "/resources"],
      ["DELETE", "/resources/listeners"],
      ["PUT", "/clients"],
      ["GET", "/reset"],
    ] as const)
      assert.equal((await say(method, path)).status, 405, `${method} ${path}`);
    assert.equal((await say("PUT", "/resources", "x".repeat(100_001))).status, 413);
  });

  test("web pages are kept away: a foreign Host, a foreign Origin", async () => {
    const status = async (method: string, path: string, headers: object): Promise<number> => {
      const sent = request({ host: "127.0.0.1", port: api.port, path, method, ...headers }).end();
      const [response] = (await once(sent, "response")) as [{ statusCode: number }];
      return response.statusCode;
    };
    const host = { headers: { host: "evil.example" } };
    const origin = { headers: { origin: "http://evil.example" } };
    assert.equal(await status("GET", "/resources", host), 403);
    assert.equal(await status("POST", "/reset", origin), 403);
    assert.equal(await status("POST", "/v3/discovery:listeners", origin), 403);
    // A proxy that polls says the name of its cluster.
    assert.notEqual(await status("POST", "/v3/discovery:listeners", host), 403);
  });

  test("discovery by polling: everything, by name, and 304 for what is held", async () => {
    await say("PUT", "/resources", {
      listeners: [listener("p")],
      routes: [{ name: "r" }, { name: "s" }],
    });
    const poll = async (type: string, body: object): Promise<Response> =>
      fetch(`http://127.0.0.1:${api.port}/v3/discovery:${type}`, {
        method: "POST",
        body: JSON.stringify(body),
      });
    const first = (await (await poll("listeners", {})).json()) as Record<string, unknown>;
    assert.deepEqual(first["resources"], [
      { "@type": first["type_url"], ...(listener("p") as Record<string, unknown>) },
    ]);
    const held = { version_info: first["version_info"] };
    assert.equal((await poll("listeners", held)).status, 304);
    const named = await poll("routes", { resourceNames: ["s"] });
    const { resources } = (await named.json()) as { resources: { name: string }[] };
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["s"],
    );
    assert.equal((await poll("nothing", {})).status, 404);
    assert.equal((await poll("virtual_hosts", {})).status, 404, "which comes by delta alone");
    server.faults.set([{ kind: "drop", times: 1 }]);
    await assert.rejects(poll("listeners", {}));
    server.faults.set([{ kind: "close", times: 1 }]);
    assert.equal((await poll("listeners", {})).status, 503);
    server.faults.set([{ kind: "truncate", bytes: 9, times: 1 }]);
    await assert.rejects((await poll("listeners", {})).json());
  });
});
