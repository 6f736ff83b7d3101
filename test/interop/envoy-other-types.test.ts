import assert from "node:assert/strict";
import { request } from "node:http";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import { installedEnvoy } from "../../bench/programs.ts";
import { ManagementServer } from "../../src/xds-server/management-server.ts";
import { ResourceReader } from "../../src/xds-server/resource-reader.ts";
import { HttpUpstream } from "../support/http-upstream.ts";
import { type OfferedResources, offered } from "../support/offered-resources.ts";
import { ProxyProcess } from "../support/proxy-process.ts";
import { typeUrlOf } from "../support/session-stage.ts";
import { until } from "../support/until.ts";
import { cluster, endpoints, variantBootstrap, xdsVariants } from "../support/xds-resources.ts";

/** Types beyond the four, as a real Envoy asks the embedded server for them: on demand, by scope, by layer. */
const envoy = installedEnvoy();
const fromAds = { ads: {}, resourceApiVersion: "V3" };
const type = (name: string): string => `type.googleapis.com/envoy.${name}`;
const hcm = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const virtualHost = (name: string, domain: string): object => ({
  name,
  domains: [domain],
  routes: [{ match: { prefix: "/" }, route: { cluster: "web" } }],
});

function listener(name: string, routing: object, filters: readonly object[] = []): object {
  const router = {
    name: "router",
    typedConfig: { "@type": type("extensions.filters.http.router.v3.Router") },
  };
  const manager = {
    "@type": type(hcm),
    statPrefix: name,
    httpFilters: [...filters, router],
    ...routing,
  };
  return {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [{ filters: [{ name: "hcm", typedConfig: manager }] }],
  };
}

for (const variant of xdsVariants.filter(({ adsConfig }) => adsConfig !== undefined))
  suite(
    `other types of Envoy over ${variant.name}`,
    { skip: envoy === undefined && "Envoy is not installed" },
    () => {
      const reader = new ResourceReader();
      const started = new AsyncDisposableStack();
      const isDelta = variant.name.includes("DELTA");
      let server: ManagementServer;
      let proxy: ProxyProcess;
      let content: OfferedResources = {};
      let webPort = 0;

      const add = (more: OfferedResources): void => {
        content = { ...content, ...more };
        server.setAll(offered(reader, content));
      };
      const accepted = async (word: string): Promise<void> => {
        const [answer] = await server.awaitAnswer(typeUrlOf(word));
        assert.equal(answer?.verdict.kind, "acked", `${word} ${JSON.stringify(answer)}`);
      };
      const portOf = (name: string): Promise<number> =>
        until(async () => (await proxy.listenerPorts()).get(name), `${name} listens`);
      const statusOf = async (name: string, headers: Readonly<Record<string, string>>) => {
        const sent = request({ host: "127.0.0.1", port: await portOf(name), headers }).end();
        const [response] = (await once(sent, "response")) as [{ statusCode: number }];
        return response.statusCode;
      };

      before(async () => {
        const upstream = started.use(await HttpUpstream.start("web"));
        server = started.use(await ManagementServer.start({ protos: reader.protos }));
        webPort = upstream.port;
        add({
          clusters: [cluster("web")],
          endpoints: [endpoints("web", webPort)],
          runtime: [{ name: "layer", layer: { "some.key": "1" } }],
        });
        const rtdsLayer = { name: "layer", rtdsConfig: fromAds };
        const bootstrap = {
          ...variantBootstrap("n", `127.0.0.1:${server.port}`, variant),
          layeredRuntime: { layers: [{ name: "rtds", rtdsLayer }] },
        };
        proxy = started.use(await ProxyProcess.start(bootstrap, [], envoy));
      });

      after(() => started.disposeAsync());

      test("RTDS: a layer arrives and changes", async () => {
        await accepted("runtime");
        const value = async (): Promise<boolean> =>
          (await proxy.admin("/runtime")).includes('"final_value": "2"');
        add({ runtime: [{ name: "layer", layer: { "some.key": "2" } }] });
        await until(value, "the layer has changed");
      });

      test("SRDS: scopes are wanted without names, and a removed one goes", async () => {
        const scope = (key: string): object => ({
          name: `scope-${key}`,
          routeConfigurationName: "routes",
          key: { fragments: [{ stringKey: key }] },
        });
        const extractor = { name: "x-scope", index: 0 };
        add({
          routes: [{ name: "routes", virtualHosts: [virtualHost("all", "*")] }],
          scoped_routes: [scope("one"), scope("two")],
          listeners: [
            listener("scoped", {
              scopedRoutes: {
                name: "scopes",
                scopeKeyBuilder: { fragments: [{ headerValueExtractor: extractor }] },
                rdsConfigSource: fromAds,
                scopedRds: { scopedRdsConfigSource: fromAds },
              },
            }),
          ],
        });
        const answers = (key: string, code: number): Promise<true> =>
          until(async () => (await statusOf("scoped", { "x-scope": key })) === code, key);
        await answers("one", 200);
        await answers("two", 200);
        add({ scoped_routes: [scope("two")] });
        await answers("one", 404);
        await answers("two", 200);
        await accepted("SRDS");
      });

      test("ECDS: a listener waits for its filter, and has it", async () => {
        const typeUrls = [type("extensions.filters.http.buffer.v3.Buffer")];
        const filter = { name: "buffer", configDiscovery: { configSource: fromAds, typeUrls } };
        const typedConfig = { "@type": typeUrls[0], maxRequestBytes: 1000 };
        const routeConfig = { virtualHosts: [virtualHost("all", "*")] };
        add({
          extension_configs: [{ name: "buffer", typedConfig }],
          listeners: [listener("filtered", { routeConfig }, [filter])],
        });
        assert.equal(await statusOf("filtered", {}), 200);
        await accepted("ECDS");
      });

      test("SDS: a secret is fetched by its name", async () => {
        const secret = { name: "trust", sdsConfig: fromAds };
        const tls = {
          "@type": type("extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
          commonTlsContext: { validationContextSdsSecretConfig: secret },
        };
        add({
          secrets: [{ name: "trust", validationContext: {} }],
          endpoints: [endpoints("web", webPort), endpoints("secure", webPort)],
          clusters: [
            cluster("web"),
            { ...cluster("secure"), transportSocket: { name: "tls", typedConfig: tls } },
          ],
        });
        await until(
          () => server.verdicts().some(({ typeUrl }) => typeUrl === typeUrlOf("SDS")),
          "the secret is asked for",
        );
        await accepted("SDS");
      });

      test(
        "VHDS: a host is found by its domain; one that nobody knows is 404 at once",
        { skip: !isDelta && "delta alone" },
        async () => {
          const onDemand = {
            name: "on-demand",
            typedConfig: { "@type": type("extensions.filters.http.on_demand.v3.OnDemand") },
          };
          add({
            // For ever: the listener is there only because the first, nameless request is answered.
            routes: [
              { name: "lazy", vhds: { configSource: { ...fromAds, initialFetchTimeout: "0s" } } },
            ],
            virtual_hosts: [virtualHost("lazy/known", "known.example")],
            listeners: [
              listener("lazy", { rds: { routeConfigName: "lazy", configSource: fromAds } }, [
                onDemand,
              ]),
            ],
          });
          assert.equal(await statusOf("lazy", { host: "known.example" }), 200);
          assert.equal(await statusOf("lazy", { host: "unknown.example" }), 404);
          await accepted("VHDS");
          add({ virtual_hosts: [] });
          await until(
            async () => (await statusOf("lazy", { host: "known.example" })) === 404,
            "a host that is gone is gone",
          );
        },
      );
    },
  );
