/** Clients of HTTP/2 through to HTTP/1 upstreams, by prior knowledge. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { startHttpUpstream } from "../../../support/http-peers.ts";
import { connectHttp2, request, responseOf } from "../../../support/http2-client.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";

forEachWorkerKind("a GET and a POST go through", { isShared: true }, async (workers) => {
  await using upstream = await startHttpUpstream(({ method, url, body, headers }, response) => {
    response.setHeader("x-host", headers.host ?? "");
    response.end(`${method} ${url} ${body}`);
  });
  const proxy = await startProxy(workers, upstream.port);
  const session = await connectHttp2(proxy.listener.port);
  const got = await request(session, { ":path": "/a?b", ":authority": "h" });
  assert.equal(got.status, 200);
  assert.equal(got.body, "GET /a?b ");
  assert.equal(got.headers["x-host"], "h");
  assert.equal(got.headers["server"], "envoy");
  const posted = await request(session, { ":path": "/p", ":method": "POST" }, "hello");
  assert.equal(posted.body, "POST /p hello");
  const sized = { ":path": "/p", ":method": "POST", "content-length": 5 };
  assert.equal((await request(session, sized, "world")).body, "POST /p world");
  session.close();
  await once(session, "close");
  await proxy.settled();
  assert.equal(proxy.http("downstream_cx_http2_total"), 1);
  assert.equal(proxy.http("downstream_rq_http2_total"), 3);
  assert.equal(proxy.http("downstream_cx_http1_total"), 0);
});

forEachWorkerKind(
  "a hundred streams at once, with bodies both ways",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream(({ url, body }, response) =>
      response.end(url + body),
    );
    const proxy = await startProxy(workers, upstream.port);
    const session = await connectHttp2(proxy.listener.port);
    const answers = Array.from({ length: 100 }, async (_, i) => {
      const body = `${i}`.repeat(5_000 + i);
      const answer = await request(session, { ":path": `/${i}`, ":method": "POST" }, body);
      assert.equal(answer.body, `/${i}${body}`);
    });
    await Promise.all(answers);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "small windows hold bodies back, and nothing is lost",
  { isShared: true },
  async (workers) => {
    const large = Buffer.alloc(1_000_000, "abcdefghij").toString("latin1");
    await using upstream = await startHttpUpstream((_, response) => response.end(large));
    const proxy = await startProxy(workers, upstream.port);
    const session = await connectHttp2(proxy.listener.port, {
      settings: { initialWindowSize: 10_000 },
    });
    const streams = Array.from({ length: 5 }, () => session.request({ ":path": "/" }));
    const answers = await Promise.all(streams.map(responseOf));
    for (const { body } of answers) assert.equal(body, large);
    session.close();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "local replies, HEAD and interim responses",
  { isShared: true },
  async (workers) => {
    await using upstream = await startHttpUpstream((_, response) => response.end("body"));
    const proxy = await startProxy(workers, upstream.port);
    const session = await connectHttp2(proxy.listener.port);
    const head = await request(session, { ":path": "/", ":method": "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    const fragment = await request(session, { ":path": "/a#b" });
    assert.equal(fragment.status, 400);
    const expecting = session.request(
      { ":path": "/", ":method": "POST", expect: "100-continue" },
      { endStream: false },
    );
    await once(expecting, "continue");
    expecting.end("x");
    assert.equal((await responseOf(expecting)).body, "body");
    session.close();
    await proxy.settled();
  },
);
