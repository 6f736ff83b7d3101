/** Trailers end to end: of chunked bodies where both sides enable them, and of HTTP/2 always. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { clientHttp1, serverHttp1 } from "../../../support/http1-options.ts";
import { connectHttp2 } from "../../../support/http2-client.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

/** Answers with what trailers came, and with two of its own. */
async function startTrailerUpstream(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString("latin1")));
    request.on("end", () => {
      response.writeHead(200, { trailer: "x-sum, x-more" });
      response.write(`${body}|${JSON.stringify(request.trailers)}`);
      response.addTrailers({ "x-sum": "1", "X-More": " two " });
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const chunkedPost = [
  "POST / HTTP/1.1",
  "Host: test",
  "Transfer-Encoding: chunked",
  "",
  "5",
  "hello",
  "0",
  "X-Check:  yes ",
  "Content-Length: 7",
  "",
  "",
].join("\r\n");

forEachWorkerKind(
  "trailers pass HTTP/1 where both sides enable them",
  { isShared: true },
  async (workers) => {
    await using upstream = await startTrailerUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      manager: { http1: serverHttp1({ trailers: true }) },
      cluster: { http1: clientHttp1({ trailers: true }) },
    });
    for (const cut of [0, chunkedPost.length - 30, chunkedPost.length - 2]) {
      const client = proxy.connect();
      client.send(chunkedPost.slice(0, cut));
      client.send(chunkedPost.slice(cut));
      await client.until(() => hasEnd(client.received));
      const text = client.received.toString("latin1");
      assert.match(text, /hello\|\{"x-check":"yes"\}/);
      assert.match(text, /\r\n0\r\nx-sum: 1\r\nx-more: two\r\n\r\n$/);
      client.socket.end();
    }
    await proxy.settled();
  },
);

forEachWorkerKind(
  "trailers are dropped where they are not enabled",
  { isShared: true },
  async (workers) => {
    await using upstream = await startTrailerUpstream();
    const proxy = await startProxy(workers, upstream.port);
    const client = proxy.connect();
    client.send(chunkedPost);
    assert.equal((await client.response()).body, "hello|{}");
    assert.equal(client.rest, "");
    client.socket.end();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "trailers pass from HTTP/2 to HTTP/1 and back",
  { isShared: true },
  async (workers) => {
    await using upstream = await startTrailerUpstream();
    const proxy = await startProxy(workers, upstream.port, {
      cluster: { http1: clientHttp1({ trailers: true }) },
    });
    const session = await connectHttp2(proxy.listener.port, {
      settings: { initialWindowSize: 4 },
    });
    const stream = session.request({ ":path": "/", ":method": "POST" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-check": "h2" }));
    stream.end("over");
    const trailers = once(stream, "trailers");
    let body = "";
    for await (const part of stream) body += (part as Buffer).toString("latin1");
    assert.equal(body, 'over|{"x-check":"h2"}');
    const [received] = (await trailers) as [Record<string, string>];
    assert.deepEqual([received["x-sum"], received["x-more"]], ["1", "two"]);
    session.close();
    await proxy.settled();
  },
);

function hasEnd(bytes: Buffer): boolean {
  return /\r\n0\r\n[^]*\r\n\r\n$/.test(bytes.toString("latin1"));
}
