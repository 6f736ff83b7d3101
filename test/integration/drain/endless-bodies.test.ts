/** Answers without an end in a drain: they go on until its deadline and are cut there, or outlast it by policy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { ClientHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import { startHttpUpstream } from "../../support/http-peers.ts";
import { startProxy } from "../../support/http-proxy.ts";
import { connectHttp2 } from "../../support/http2-client.ts";
import { forEachWorkerKind } from "../../support/test-workers.ts";
import { until } from "../../support/until.ts";

interface Listening {
  readonly text: () => string;
  readonly isCut: () => boolean;
}

/** Events of a host that says one whenever it is told to. */
async function startEvents() {
  const responses = new Set<http.ServerResponse>();
  const host = await startHttpUpstream((_, response) => {
    responses.add(response);
    response.on("close", () => responses.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\n");
  });
  const say = (event: string): void => {
    for (const response of responses) response.write(`data: ${event}\n\n`);
  };
  return { host, say, responses };
}

const openers = {
  async http1(port: number): Promise<Listening> {
    const request = http.get({ port, host: "127.0.0.1", agent: false });
    const [response] = (await once(request, "response")) as [Readable];
    return listenTo(response);
  },
  async http2(port: number): Promise<Listening> {
    const session = await connectHttp2(port);
    return listenTo(session.request({ ":path": "/" }));
  },
};

function listenTo(answer: Readable): Listening {
  let text = "";
  let isCut = false;
  answer.on("data", (part: Buffer) => (text += part.toString("latin1")));
  answer.on("error", () => {});
  // Node's client of HTTP/2 says "end" all the same; the code tells that it was none.
  answer.on("close", () => {
    const { rstCode = 0 } = answer as Partial<ClientHttp2Stream>;
    isCut = !answer.readableEnded || rstCode !== 0;
  });
  return { text: () => text, isCut: () => isCut };
}

for (const [protocol, open] of Object.entries(openers)) {
  forEachWorkerKind(`events over ${protocol} end at the deadline`, {}, async (workers) => {
    const { host, say, responses } = await startEvents();
    await using _host = host;
    const proxy = await startProxy(workers, host.port);
    const events = await open(proxy.listener.port);
    await until(() => events.text().includes("first"), "an event");
    const drain = workers.startDrain(proxy.listener, { durationMs: 500 });
    await workers.untilTrue(() => workers.drainCounts(drain)?.notified === 1);
    say("told");
    await until(() => events.text().includes("told"), "an event after it was told");
    assert.equal(events.isCut(), false);
    await until(() => events.isCut(), "the cut");
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    const { atStart, forced } = workers.drainCounts(drain) ?? {};
    assert.deepEqual({ atStart, forced }, { atStart: 1, forced: 1 });
    // The host is not left behind with a listener that is gone.
    await until(() => responses.size === 0, "the host hears of it");
    await proxy.settled();
  });

  forEachWorkerKind(`events over ${protocol} outlast the drain by policy`, {}, async (workers) => {
    const { host, say, responses } = await startEvents();
    await using _host = host;
    const proxy = await startProxy(workers, host.port);
    const events = await open(proxy.listener.port);
    await until(() => events.text().includes("first"), "an event");
    const drain = workers.startDrain(proxy.listener, {
      durationMs: 100,
      start: { streams: "finish" },
    });
    await until(() => performance.now() > drain.deadlineMs + 100, "the deadline has passed");
    say("later");
    await until(() => events.text().includes("later"), "an event after the deadline");
    for (const response of responses) response.end();
    await workers.untilTrue(() => workers.drainCounts(drain)?.remaining === 0);
    assert.equal(workers.drainCounts(drain)?.forced, 0);
    assert.equal(events.isCut(), false);
    await proxy.settled();
  });
}
