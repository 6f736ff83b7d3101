/** HTTP filters before the router: what they see, what they change, what they answer. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type {
  HttpFilterConfig,
  PlainHttpFilterConfig,
} from "../../../../src/shared/config/http-config.ts";
import { credentialInjectorStats } from "../../../../src/shared/stats/stat-names.ts";
import type { HeaderMutations } from "../../../../src/shared/config/route-config.ts";
import {
  blockOf,
  type ReplyId,
  type WorkerCommand,
} from "../../../../src/shared/protocol/worker-command.ts";
import { route } from "../../../support/http-fixture.ts";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const router: HttpFilterConfig = { kind: "router", suppressEnvoyHeaders: false };
const set = (name: string, value: string): HeaderMutations => ({
  add: [{ name, value, action: "overwrite" }],
  remove: [],
});
const remove = (name: string): HeaderMutations => ({ add: [], remove: [name] });
const mutating = (
  request: readonly HeaderMutations[],
  response: readonly HeaderMutations[] = [],
): PlainHttpFilterConfig => ({ kind: "headerMutation", request, response });
const injecting = (fields: Partial<HttpFilterConfig> = {}): HttpFilterConfig =>
  ({
    kind: "credentialInjector",
    secret: "s",
    header: "authorization",
    prefix: "",
    overwrite: false,
    allowsRequestWithoutCredential: false,
    ...fields,
  }) as HttpFilterConfig;
const discovered = (fallback?: PlainHttpFilterConfig): HttpFilterConfig => ({
  kind: "discovered",
  id: "e",
  mayInjectCredentials: false,
  fallback,
});

const setFilterConfig = (config: PlainHttpFilterConfig, reply: ReplyId): WorkerCommand => ({
  kind: "setFilterConfig",
  id: "e",
  filter: { category: "http", config },
  reply,
});

const direct = (prefix: string, status: number) =>
  route(prefix, { action: { kind: "directResponse", status, body: "" } });

forEachWorkerKind(
  "mutations see our own fields, come before the route's, and follow it back",
  {},
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const filter = mutating(
      [
        set("x-request-id", "forced"),
        set("x-forwarded-proto", "zzz"),
        set("x-both", "filter"),
        set("x-path", "%REQ(:path)% %REQ(x-in)%"),
        set("x-in", "later"),
        remove("user-agent"),
      ],
      [
        set("x-both", "filter %RESPONSE_CODE%"),
        remove("x-envoy-upstream-service-time"),
        set("server", "no"),
      ],
    );
    const proxy = await startProxy(workers, upstream.port, {
      manager: { filters: [filter, router] },
      routes: [
        direct("/here", 202),
        route("/up", {
          requestHeaders: set("x-both", "route"),
          responseHeaders: set("x-both", "route"),
        }),
      ],
    });
    const client = proxy.connect();
    const response = await client.get("/up", ["User-Agent: mine", "X-In: now"]);
    const headers = upstream.requests[0]?.headers ?? {};
    assert.equal(headers["x-request-id"], "forced");
    assert.equal(headers["x-forwarded-proto"], "zzz");
    assert.equal(headers["x-both"], "route");
    assert.equal(headers["x-path"], "/up now");
    assert.equal(headers["user-agent"], undefined);
    assert.equal(headers["x-envoy-expected-rq-timeout-ms"], "15000");
    assert.equal(response.headers["x-both"], "filter 200");
    assert.equal(response.headers["x-envoy-upstream-service-time"], undefined);
    assert.equal(response.headers["server"], "envoy");
    for (const [path, status] of [
      ["/here", 202],
      ["/else", 404],
    ] as const) {
      const answer = await client.get(path);
      assert.equal(answer.status, status);
      assert.equal(answer.headers["x-both"], `filter ${status}`);
    }
    client.send("GET / HTTP/1.1\r\n\r\n");
    const refused = await client.response();
    assert.deepEqual([refused.status, refused.headers["x-both"]], [400, "filter 400"]);
  },
);

forEachWorkerKind(
  "a credential goes into requests, and without one there is no way through",
  {},
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: {
        filters: [
          injecting({ prefix: "Bearer " }),
          injecting({
            secret: "t",
            header: "x-key",
            overwrite: true,
            allowsRequestWithoutCredential: true,
          }),
          router,
        ],
      },
      routes: [direct("/here", 202), route("/")],
    });
    const client = proxy.connect();
    const refused = await client.get("/here");
    assert.deepEqual([refused.status, refused.body], [401, "Failed to inject credential."]);
    workers.post({ kind: "setSecret", id: "s", text: "één" });
    await workers.request((reply) => ({ kind: "ping", reply }));
    await client.get("/", ["X-Key: mine"]);
    const first = upstream.requests[0]?.headers ?? {};
    assert.equal(Buffer.from(first.authorization ?? "", "latin1").toString("utf8"), "Bearer één");
    assert.equal(first["x-key"], "mine");
    workers.post({ kind: "setSecret", id: "t", text: "key" });
    await workers.request((reply) => ({ kind: "ping", reply }));
    await client.get("/", ["X-Key: mine", "X-Key: twice", "Authorization: own"]);
    const second = upstream.requests[1]?.headers ?? {};
    assert.deepEqual([second.authorization, second["x-key"]], ["own", "key"]);
    workers.post({ kind: "setSecret", id: "s", text: "a\r\nx-smuggled: b" });
    await workers.request((reply) => ({ kind: "ping", reply }));
    assert.equal((await client.get("/")).status, 401);
    const block = blockOf(proxy.listener.slots.credentialInjector, "h");
    const count = (name: "injected" | "failed" | "already_exists"): number =>
      workers.stat(credentialInjectorStats, block, name);
    assert.deepEqual([count("injected"), count("failed"), count("already_exists")], [2, 3, 1]);
  },
);

forEachWorkerKind(
  "a configuration that is discovered is for new requests; a request under way keeps its own",
  {},
  async (workers) => {
    const held = Promise.withResolvers<ServerResponse>();
    await using upstream = await startHttpUpstream((request, response) => {
      if (request.url === "/held") held.resolve(response);
      else response.end();
    });
    const proxy = await startProxy(workers, upstream.port, {
      manager: { filters: [discovered(), router] },
    });
    const push = async (value: string): Promise<void> => {
      const config = mutating([set("x-version", value)], [set("x-version", value)]);
      await workers.request((reply) => setFilterConfig(config, reply));
    };
    const client = proxy.connect();
    const missing = await client.get("/");
    assert.deepEqual([missing.status, missing.body], [500, ""]);
    await push("one");
    assert.equal((await client.get("/")).headers["x-version"], "one");
    const slow = proxy.connect();
    const answered = slow.get("/held");
    const response = await held.promise;
    await push("two");
    assert.equal((await client.get("/")).headers["x-version"], "two");
    response.end();
    assert.equal((await answered).headers["x-version"], "one");
    assert.deepEqual(
      upstream.requests.map(({ headers }) => headers["x-version"]),
      ["one", "one", "two"],
    );
    await workers.request((reply) => ({ kind: "removeFilterConfig", id: "e", reply }));
    assert.equal((await client.get("/")).status, 500);
  },
);

forEachWorkerKind(
  "the default serves until something comes, and again when it is gone",
  {},
  async (workers) => {
    await using upstream = await startHttpUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: { filters: [discovered(mutating([], [set("x-version", "default")])), router] },
    });
    const client = proxy.connect();
    const version = async (): Promise<string | undefined> =>
      (await client.get("/")).headers["x-version"];
    assert.equal(await version(), "default");
    const config = mutating([], [set("x-version", "came")]);
    await workers.request((reply) => setFilterConfig(config, reply));
    assert.equal(await version(), "came");
    await workers.request((reply) => ({ kind: "removeFilterConfig", id: "e", reply }));
    assert.equal(await version(), "default");
  },
);
