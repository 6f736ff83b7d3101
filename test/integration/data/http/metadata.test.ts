/** METADATA where more than frames is in play: filters, requests that wait, clients that do not read. */
import assert from "node:assert/strict";
import { flag, frameType } from "../../../../src/data/http/http2/frames.ts";
import type { HttpConnectionManagerConfig } from "../../../../src/shared/config/http-config.ts";
import { http2Stats } from "../../../../src/shared/stats/stat-names.ts";
import { route } from "../../../support/http-fixture.ts";
import { startProxy } from "../../../support/http-proxy.ts";
import { answers, lastData } from "../../../support/http2-frames.ts";
import { http2Options } from "../../../support/http2-options.ts";
import { frameWords, isLastFrame, metadata } from "../../../support/metadata-frames.ts";
import { type Fields, frame, RawHttp2Client, requestBlock } from "../../../support/raw-http2.ts";
import {
  type HostConnection,
  type HostScript,
  ScriptedHttp2Host,
} from "../../../support/scripted-http2-host.ts";
import type { TestFilterConfig } from "../../../support/test-filter.ts";
import { forEachWorkerKind } from "../../../support/test-workers.ts";
import { until } from "../../../support/until.ts";
import { answer, scoped, setScope, unloaded, wanted } from "../../../support/waiting-scope.ts";

const http2 = http2Options({ allowsMetadata: true });
const cluster = { protocol: "http2", http2 } as const;

function postHead(fields: Fields = []): Buffer {
  return frame(frameType.headers, flag.endHeaders, 1, requestBlock(fields, { ":method": "POST" }));
}

function managerOf(...configs: readonly TestFilterConfig[]): Partial<HttpConnectionManagerConfig> {
  const filters = configs.map((config) => ({
    kind: "module" as const,
    module: "test.filter",
    config: config as Readonly<Record<string, unknown>>,
  }));
  return { http2, filters: [...filters, { kind: "router", suppressEnvoyHeaders: false }] };
}

interface Way {
  readonly filters: readonly TestFilterConfig[];
  /** As the host saw it, and the client. */
  readonly asked: readonly string[];
  readonly answered: readonly string[];
}

const denied = ["head", "data no metadata end"];
const failed = ["head", "data Internal Server Error end"];
const ways: Readonly<Record<string, Way>> = {
  "filters change it, in their order": {
    filters: [{ mark: "a" }, { mark: "b" }],
    asked: ["head", "a=1 marks=ab", "data body end"],
    answered: ["head", "b=2 marks=ba", "data ok end"],
  },
  "filters add it": {
    filters: [{ mark: "a" }, { does: "addMetadata" }, { mark: "b" }],
    asked: ["head", "added=by a request marks=b", "a=1 marks=ab", "data body end"],
    answered: ["added=by a response marks=a", "head", "b=2 marks=ba", "data ok end"],
  },
  "it waits, and what follows behind it": {
    filters: [{ mark: "a" }, { does: "waitForMetadata" }, { mark: "b" }],
    asked: ["head", "a=1 marks=ab", "data body end"],
    answered: ["head", "b=2 marks=ba", "data ok end"],
  },
  "it stays behind a head that waits for its body": {
    filters: [{ does: "bufferRequest" }, { does: "bufferResponse" }],
    asked: ["head", "a=1", "data body end"],
    answered: ["head", "b=2", "data ok end"],
  },
  "a filter answers it": {
    filters: [{ does: "denyMetadata" }],
    asked: ["head", "reset"],
    answered: denied,
  },
  "what a filter throws is its failure": {
    filters: [{ throws: "decodeMetadata" }],
    asked: ["head", "reset"],
    answered: failed,
  },
  "so is what no frame can hold": {
    filters: [{ does: "badMetadata" }],
    asked: ["head", "reset"],
    answered: failed,
  },
};

const filterFiles = { httpFilterFiles: ["test/support/test-filter.ts"], concurrency: 1 };
const secret = (id: number): Buffer => metadata(id, [["secret", "x"]]);

const startHost = (script: HostScript): Promise<ScriptedHttp2Host> =>
  ScriptedHttp2Host.start(script, undefined, { waits: true });

async function isOver(client: RawHttp2Client): Promise<void> {
  await until(() => client.frames.some(isLastFrame), "the end of the stream");
}

forEachWorkerKind("filters and metadata", filterFiles, async (workers) => {
  await using host = await startHost(({ id, send }) =>
    send(answers(id), secret(id), metadata(id, [["b", "2"]]), lastData(id, "ok")),
  );
  for (const [name, { filters, asked, answered }] of Object.entries(ways)) {
    host.frames.length = 0;
    const manager = managerOf(...filters);
    const proxy = await startProxy(workers, host.port, { manager, cluster });
    const client = new RawHttp2Client(proxy.listener.port);
    client.send(postHead());
    const isHeadHeld = filters.some(({ does }) => does === "bufferRequest");
    const hasHead = (): boolean => host.frames.some(({ type }) => type === frameType.headers);
    // An answer may come before the head is out.
    if (!isHeadHeld) await until(hasHead, `${name}: the host has the head`);
    client.send(secret(1), metadata(1, [["a", "1"]]), lastData(1, "body"));
    await isOver(client);
    assert.deepEqual(
      frameWords(client.frames.filter(({ id }) => id === 1)).slice(0, answered.length),
      answered,
      name,
    );
    await until(() => frameWords(host.frames).length >= asked.length, `${name}: the host has all`);
    assert.deepEqual(frameWords(host.frames), asked, name);
    client.destroy();
    await proxy.settled();
  }
});

forEachWorkerKind(
  "a request that waits for its routes keeps what came of it",
  {},
  async (workers) => {
    await using host = await startHost(({ id, send }) => send(answers(id), lastData(id, "ok")));
    const proxy = await startProxy(workers, host.port, { manager: { ...scoped, http2 }, cluster });
    setScope(workers, unloaded);
    const client = new RawHttp2Client(proxy.listener.port);
    client.send(postHead([["x-scope", "a"]]), metadata(1, [["a", "1"]]), lastData(1, "body"));
    await wanted(workers);
    answer(workers, [route("/")]);
    await isOver(client);
    assert.deepEqual(frameWords(host.frames), ["head", "a=1", "data body end"]);
    client.destroy();
    await proxy.settled();
  },
);

forEachWorkerKind(
  "a client that does not read what its host says is cut off",
  {},
  async (workers) => {
    let asked: HostConnection | undefined;
    await using host = await startHost((each) => void (asked = each));
    const small = http2Options({ allowsMetadata: true, maxOutboundFrames: 100 });
    const manager = { http2: small };
    const large = { ...cluster, http2: { ...http2, maxMetadataBytes: 1024 ** 3 } };
    const proxy = await startProxy(workers, host.port, { manager, cluster: large });
    const client = new RawHttp2Client(proxy.listener.port);
    client.send(postHead(), lastData(1, "body"));
    const { id, send } = await until(() => asked, "the host has the request");
    client.pause();
    send(answers(id));
    const { http2: block } = proxy.listener.slots;
    const flood = (): number => workers.stat(http2Stats, block, "outbound_flood");
    const much = metadata(id, [["a", "v".repeat(16_000)]]);
    await until(() => {
      if (flood() > 0) return true;
      send(...Array.from({ length: 50 }, () => much));
      return false;
    }, "the flood is counted");
    assert.equal(flood(), 1);
    client.destroy();
    await proxy.settled();
  },
);
