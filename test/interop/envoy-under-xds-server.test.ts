import assert from "node:assert/strict";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { installedEnvoy } from "../../bench/programs.ts";
import { ApiServer } from "../../src/xds-server/api/api-server.ts";
import { ManagementServer } from "../../src/xds-server/management-server.ts";
import { ResourceReader } from "../../src/xds-server/resource-reader.ts";
import { servedTypeNamed } from "../../src/xds-server/resource-types.ts";
import { get, isRefused } from "../support/http-client.ts";
import { HttpUpstream } from "../support/http-upstream.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { until } from "../support/until.ts";
import {
  cluster,
  endpoints,
  httpListener,
  routes,
  variantBootstrap,
  xdsVariants,
  type XdsVariant,
} from "../support/xds-resources.ts";

/**
 * The embedded management server serves a real Envoy over every transport, and a Sluice the same life beside it.
 */
const envoy = installedEnvoy();
if (envoy === undefined)
  console.error("interop: Envoy under the embedded server is skipped, Envoy is not installed");

const programs = { sluice: path.resolve("bin/sluice"), envoy } as const;
const reader = new ResourceReader();

for (const [name, program] of Object.entries(programs))
  for (const variant of xdsVariants) {
    const isRefused = name === "envoy" && variant.name.includes("AGGREGATED");
    const isAbsent = program === undefined && "Envoy is not installed";
    suite(
      `${name} under the embedded server over ${variant.name}`,
      { skip: isAbsent || (isRefused && "Envoy refuses such a source") },
      () => play(variant, program ?? ""),
    );
  }

function play(variant: XdsVariant, program: string): void {
  const { source, isRest } = variant;
  const started = new AsyncDisposableStack();
  let server: ManagementServer;
  let proxy: ProxyProcess;
  let blue: HttpUpstream;
  let green: HttpUpstream;

  before(async () => {
    blue = started.use(await HttpUpstream.start("blue"));
    green = started.use(await HttpUpstream.start("green"));
    server = started.use(await ManagementServer.start({ protos: reader.protos }));
    const api = started.use(await ApiServer.listen({ server, reader }));
    server.setAll(new Map());
    const address = `127.0.0.1:${isRest ? api.port : server.port}`;
    const bootstrap = variantBootstrap("n", address, variant);
    proxy = started.use(await ProxyProcess.start(bootstrap, [], program));
  });

  after(() => started.disposeAsync());

  const listener = (name: string): object => httpListener(name, "r", { source });
  const push = (content: Readonly<Record<string, readonly object[]>>): void => {
    const types = Object.entries(content).map(([word, resources]) => {
      const type = servedTypeNamed(word);
      assert(type);
      const read = reader.readAll(type, JSON.parse(JSON.stringify(resources)));
      assert(read.ok, read.ok ? "" : read.errors.join("\n"));
      return [type.typeUrl, read.value] as const;
    });
    server.setTypes(new Map(types));
  };
  const verdict = async (word: string): Promise<string> => {
    const { typeUrl } = servedTypeNamed(word) ?? { typeUrl: "" };
    const [answer] = await server.awaitAnswer(typeUrl);
    return answer?.verdict.kind === "nacked" ? answer.verdict.error : (answer?.verdict.kind ?? "");
  };
  const answers = async (name: string, wanted: string): Promise<void> => {
    const seen = async (): Promise<boolean> => {
      const port = (await proxy.listenerPorts()).get(name);
      if (port === undefined) return false;
      const { body, tag } = await get(port);
      return `${body} ${tag}` === wanted;
    };
    await until(seen, `${name} answers ${wanted}`);
  };

  test("a first push serves on every listener", async () => {
    push({
      clusters: [cluster("web", source)],
      endpoints: [endpoints("web", blue.port)],
      listeners: [listener("a"), listener("b")],
      routes: [routes("r", "web", "v1")],
    });
    for (const name of ["a", "b"]) await answers(name, "blue v1");
    if (!isRest)
      for (const word of ["clusters", "endpoints", "listeners", "routes"])
        assert.equal(await verdict(word), "acked", word);
  });

  test("routes and endpoints change, each alone, and another cluster takes over in one push", async () => {
    push({ routes: [routes("r", "web", "v2")] });
    await answers("a", "blue v2");
    push({ endpoints: [endpoints("web", green.port)] });
    await answers("b", "green v2");
    push({
      clusters: [cluster("next", source)],
      endpoints: [endpoints("next", blue.port)],
      routes: [routes("r", "next", "v3")],
    });
    for (const name of ["a", "b"]) await answers(name, "blue v3");
    await until(
      async () => !(await proxy.admin("/clusters")).includes("web::"),
      "the old cluster goes in the end",
    );
  });

  test("a bad listener is refused with its reason, a removed one goes, the other stays", async () => {
    const bad = { ...httpListener("bad", "r", { source }), filterChains: [] };
    push({ listeners: [listener("a"), listener("b"), bad] });
    await until(
      async () => (await proxy.stat("listener_manager.lds.update_rejected")) >= 1,
      "the refusal is counted",
    );
    if (!isRest) assert.match(await verdict("listeners"), /bad.*no filter chains specified/);
    const port = (await proxy.listenerPorts()).get("a");
    assert(port);
    push({ listeners: [listener("b")] });
    await until(() => isRefused(port), "a is gone");
    await answers("b", "blue v3");
  });

  test("the streams break, and everything goes on", { skip: isRest }, async () => {
    server.resetConnections();
    push({ routes: [routes("r", "next", "v4")] });
    await answers("b", "blue v4");
    server.dropStreams();
    push({ routes: [routes("r", "next", "v5")] });
    await answers("b", "blue v5");
    server.goAway();
    push({ routes: [routes("r", "next", "v6")] });
    await answers("b", "blue v6");
    assert.equal(await proxy.stat("listener_manager.listener_added"), 2);
  });
}
