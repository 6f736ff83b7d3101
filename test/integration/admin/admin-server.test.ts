import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { createAdminRouter } from "../../../src/control/admin/admin-router.ts";
import { AdminServer } from "../../../src/control/admin/admin-server.ts";
import { createAdminStats } from "../../../src/control/admin/admin-stats.ts";
import { homeEndpoints } from "../../../src/control/admin/home-endpoints.ts";
import { quitEndpoint } from "../../../src/control/admin/process-endpoints.ts";
import { StatSlab } from "../../../src/shared/stats/slab.ts";
import { StatStore } from "../../../src/shared/stats/stat-store.ts";

async function startAdmin() {
  const buffer = new SharedArrayBuffer(64 * 1024);
  const store = new StatStore([buffer]);
  const quit = Promise.withResolvers<void>();
  const endpoints = homeEndpoints([quitEndpoint(() => quit.resolve())]);
  const result = await AdminServer.listen({
    address: { kind: "ip", ip: "127.0.0.1", port: 0 },
    allowedHosts: ["admin.internal"],
    router: createAdminRouter(
      endpoints,
      () => true,
      () => assert.fail("an endpoint threw"),
    ),
    stats: createAdminStats({ allocator: store, slab: new StatSlab(buffer) }),
  });
  assert(result.ok);
  const { server } = result;
  assert(server.address.kind === "ip");
  const { port } = server.address;
  return {
    port,
    store,
    quit: quit.promise,
    [Symbol.asyncDispose]: () => server.close(),
    async send(method: string, path: string, options: SendOptions = {}) {
      const sent = httpRequest({ port, method, path, headers: options.headers ?? {} });
      sent.on("error", () => {});
      sent.end(options.body);
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      let body = "";
      for await (const chunk of response.setEncoding("utf8")) body += chunk as string;
      return { status: response.statusCode, headers: response.headers, body };
    },
  };
}

interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

test("the admin answers with Envoy's headers and counts its own traffic", async () => {
  await using admin = await startAdmin();
  const { status, headers } = await admin.send("GET", "/help?x=1");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
  assert.equal(headers["cache-control"], "no-cache, max-age=0");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["server"], "envoy");
  assert.equal((await admin.send("GET", "/nope")).status, 404);
  assert.equal(admin.store.read("http.admin.downstream_rq_2xx"), 1);
  assert.equal(admin.store.read("http.admin.downstream_rq_4xx"), 1);
});

test("a HEAD has headers and no body", async () => {
  await using admin = await startAdmin();
  const { status, body } = await admin.send("HEAD", "/help");
  assert.deepEqual([status, body], [200, ""]);
});

test("pages of other sites cannot post, other names cannot reach it, curl can", async () => {
  await using admin = await startAdmin();
  const post = (headers: Readonly<Record<string, string>>) =>
    admin.send("POST", "/help", { headers });
  assert.equal((await post({})).status, 200);
  assert.equal((await post({ origin: "http://evil.example" })).status, 403);
  assert.equal((await post({ "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal((await post({ origin: `http://localhost:${admin.port}` })).status, 200);
  assert.equal((await post({ host: "evil.example" })).status, 403);
  assert.equal((await post({ host: "admin.internal" })).status, 200);
  assert.equal((await admin.send("GET", "/help", { headers: { host: "x" } })).status, 403);
});

test("a body beyond the bound is answered with 413 and not read", async () => {
  await using admin = await startAdmin();
  const { status } = await admin.send("POST", "/help", { body: "x".repeat(200 * 1024) });
  assert.equal(status, 413);
});

test("/quitquitquit has answered when the process is told to quit", async () => {
  await using admin = await startAdmin();
  assert.equal((await admin.send("POST", "/quitquitquit")).body, "OK\n");
  await admin.quit;
});

test("what is no HTTP is refused and leaves the admin serving", async () => {
  await using admin = await startAdmin();
  const socket = connect(admin.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.end("\x16\x03\x01 nonsense\r\n\r\n");
  await once(socket.resume(), "close");
  assert.equal((await admin.send("GET", "/help")).status, 200);
});

test("listen() says why it cannot, in Envoy's words", async () => {
  await using admin = await startAdmin();
  const buffer = new SharedArrayBuffer(64 * 1024);
  const again = await AdminServer.listen({
    address: { kind: "ip", ip: "127.0.0.1", port: admin.port },
    allowedHosts: [],
    router: createAdminRouter(
      [],
      () => true,
      () => assert.fail("an endpoint threw"),
    ),
    stats: createAdminStats({
      allocator: new StatStore([buffer]),
      slab: new StatSlab(buffer),
    }),
  });
  assert(!again.ok);
  assert.equal(again.error, `cannot bind '127.0.0.1:${admin.port}': Address already in use`);
});
