import assert from "node:assert/strict";
import path from "node:path";
import { after, before, suite, test } from "node:test";
import { findGo, GoControlPlane, type Versions } from "../../src/cli/go-control-plane.ts";
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

/** The same life of three listeners over every transport of go-control-plane. */
const go = await findGo();
if (go === undefined) console.error("interop: go-control-plane is skipped, Go is not installed");

for (const variant of xdsVariants)
  suite(
    `go-control-plane over ${variant.name}`,
    { skip: go === undefined && "Go is not installed" },
    () => play(variant),
  );

function play(variant: XdsVariant): void {
  const { source, isRest } = variant;
  const started = new AsyncDisposableStack();
  let controlPlane: GoControlPlane;
  let proxy: ProxyProcess;
  let blue: HttpUpstream;
  let green: HttpUpstream;

  before(async () => {
    blue = started.use(await HttpUpstream.start("blue"));
    green = started.use(await HttpUpstream.start("green"));
    controlPlane = started.use(
      await GoControlPlane.start(path.join(import.meta.dirname, "go-control-plane"), "n"),
    );
    await controlPlane.push({ clusters: [], listeners: [], endpoints: [], routes: [] });
    const address = isRest ? controlPlane.restAddress : controlPlane.xdsAddress;
    proxy = started.use(await ProxyProcess.start(variantBootstrap("n", address, variant)));
  });

  after(() => started.disposeAsync());

  const listener = (name: string): object => httpListener(name, "r", { source });
  const answers = async (name: string, wanted: string): Promise<void> => {
    const seen = async (): Promise<boolean> => {
      const port = (await proxy.listenerPorts()).get(name);
      if (port === undefined) return false;
      const { body, tag } = await get(port);
      return `${body} ${tag}` === wanted;
    };
    await until(seen, `${name} answers ${wanted}`);
  };
  const accepted = async (versions: Versions): Promise<void> => {
    // Polled, nobody is told.
    if (isRest) return;
    for (const kind of ["clusters", "endpoints", "listeners", "routes"] as const) {
      const answer = await controlPlane.answered(kind, versions[kind]);
      assert.equal(answer.acked, versions[kind], `${kind}: ${answer.nacked?.error}`);
    }
  };

  test("a first push serves on every listener", async () => {
    await accepted(
      await controlPlane.push({
        clusters: [cluster("web", source)],
        endpoints: [endpoints("web", blue.port)],
        listeners: [listener("a"), listener("b")],
        routes: [routes("r", "web", "v1")],
      }),
    );
    for (const name of ["a", "b"]) await answers(name, "blue v1");
  });

  test("routes, endpoints and another listener change, each alone", async () => {
    await accepted(await controlPlane.push({ routes: [routes("r", "web", "v2")] }));
    for (const name of ["a", "b"]) await answers(name, "blue v2");
    await accepted(await controlPlane.push({ endpoints: [endpoints("web", green.port)] }));
    for (const name of ["a", "b"]) await answers(name, "green v2");
    await accepted(
      await controlPlane.push({ listeners: [listener("a"), listener("b"), listener("c")] }),
    );
    for (const name of ["a", "b", "c"]) await answers(name, "green v2");
    assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);
  });

  test("a bad listener is refused with its reason, and the good ones serve", async () => {
    const bad = { ...httpListener("bad", "r", { source }), filterChains: [] };
    const versions = await controlPlane.push({
      listeners: [listener("a"), listener("b"), listener("c"), bad],
    });
    if (!isRest) {
      const answer = await controlPlane.answered("listeners", versions.listeners);
      assert.match(answer.nacked?.error ?? "", /bad.*no filter chains specified/);
    }
    await until(
      async () => (await proxy.stat("listener_manager.lds.update_rejected")) >= 1,
      "the refusal is counted",
    );
    for (const name of ["a", "b", "c"]) await answers(name, "green v2");
  });

  test("a removed listener goes, the others stay", async () => {
    const port = (await proxy.listenerPorts()).get("a");
    assert(port);
    await accepted(await controlPlane.push({ listeners: [listener("b"), listener("c")] }));
    await until(() => isRefused(port), "a is gone");
    for (const name of ["b", "c"]) await answers(name, "green v2");
  });
}
