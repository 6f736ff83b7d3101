/** Upgrades over HTTP/1: what `upgrade_configs` let through becomes bytes that pass both ways, and nothing else does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { clusterAction, route } from "../../../support/http-fixture.ts";
import type { HttpClient } from "../../../support/http-peers.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

const websocket = { type: "websocket", isEnabled: true };
const upgradeRequest = [
  "GET /chat HTTP/1.1",
  "Host: a",
  "Connection: keep-alive, Upgrade",
  "Upgrade: WebSocket",
  "Sec-WebSocket-Key: k",
  "",
  "",
].join("\r\n");

/** Grants every upgrade, then echoes. */
async function startEchoUpstream(): Promise<AsyncDisposable & { port: number; seen: string[] }> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.end("plain"));
  server.on("upgrade", ({ headers }: IncomingMessage, socket: Socket, head: Buffer) => {
    seen.push(`${headers.connection} ${headers.upgrade} ${headers["sec-websocket-key"]}`);
    sockets.add(socket);
    socket.on("error", () => {});
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
    );
    socket.write(head);
    socket.pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}

async function received(client: HttpClient, text: string): Promise<void> {
  await client.until(() => client.rest.includes(text));
}

forEachWorkerKind(
  "a WebSocket passes, and what was sent ahead with it",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoUpstream();
    const proxy = await startProxy(workers, upstream.port, { manager: { upgrades: [websocket] } });
    const client = proxy.connect();
    client.send(`${upgradeRequest}ahead`);
    await received(client, "ahead");
    const [head = ""] = client.rest.split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.match(head, /\r\nconnection: upgrade\r\nupgrade: WebSocket$/);
    assert.doesNotMatch(head, /transfer-encoding|content-length/);
    assert.deepEqual(upstream.seen, ["upgrade WebSocket k"]);
    const large = "0123456789".repeat(50_000);
    client.send(`${large}end`);
    await received(client, `${large}end`);
    assert.equal(proxy.http("downstream_cx_upgrades_total"), 1);
    assert.equal(proxy.http("downstream_cx_upgrades_active"), 1);
    client.socket.end();
    await proxy.settled();
    assert.equal(proxy.http("downstream_cx_upgrades_active"), 0);
  },
);

forEachWorkerKind(
  "an upstream that ends a WebSocket ends it all",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoUpstream();
    const proxy = await startProxy(workers, upstream.port, { manager: { upgrades: [websocket] } });
    const client = proxy.connect();
    client.send(upgradeRequest);
    await received(client, "101");
    await upstream[Symbol.asyncDispose]();
    await client.until(() => client.hasEnded);
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "what is not let through is refused with 403",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoUpstream();
    const off = { type: "websocket", isEnabled: false };
    const cases = [
      { manager: [], ofRoute: [], isAdmitted: false },
      { manager: [off], ofRoute: [], isAdmitted: false },
      { manager: [off], ofRoute: [websocket], isAdmitted: true },
      { manager: [], ofRoute: [websocket], isAdmitted: true },
      { manager: [websocket], ofRoute: [off], isAdmitted: false },
      { manager: [{ type: "other", isEnabled: true }], ofRoute: [], isAdmitted: false },
    ];
    for (const { manager, ofRoute, isAdmitted } of cases) {
      const routes = [route("/", { action: clusterAction({ upgrades: ofRoute }) })];
      const proxy = await startProxy(workers, upstream.port, {
        routes,
        manager: { upgrades: manager },
      });
      const client = proxy.connect();
      client.send(upgradeRequest);
      if (isAdmitted) await received(client, "HTTP/1.1 101");
      else assert.equal((await client.response()).status, 403);
      assert.equal(proxy.http("downstream_cx_upgrades_total"), isAdmitted ? 1 : 0);
      client.socket.destroy();
      await proxy.settled();
    }
  },
);

forEachWorkerKind(
  "an upgrade with a body is refused, for its end has two readings",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoUpstream();
    const proxy = await startProxy(workers, upstream.port, { manager: { upgrades: [websocket] } });
    for (const field of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
      const client = proxy.connect();
      client.send(upgradeRequest.replace("Host: a", `Host: a\r\n${field}`));
      assert.equal((await client.response()).status, 403);
      client.socket.destroy();
    }
    assert.deepEqual(upstream.seen, []);
    await proxy.settled();
  },
);

forEachWorkerKind(
  "h2c is declined, and a plain answer to an upgrade is plain",
  { isShared: true },
  async (workers) => {
    await using upstream = await startEchoUpstream();
    const proxy = await startProxy(workers, upstream.port, { manager: { upgrades: [websocket] } });
    const declined = proxy.connect();
    const answer = await declined.get("/", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]);
    assert.deepEqual([answer.status, answer.body], [200, "plain"]);
    // node:http answers 101 to whatever asks; a 101 that nobody asked for is no answer.
    assert.equal(proxy.http("downstream_cx_upgrades_total"), 0);
    declined.socket.destroy();
    await proxy.settled();
  },
);
