import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import type { RouteConfiguration } from "../../../gen/es/envoy/config/route/v3/route_pb.d.ts";
import { typeNameOf } from "../../../src/control/proto/type-url.ts";
import { Dice } from "../../simulation/dice.ts";
import { bytesOf, configTools, decoders } from "../../support/config-tools.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const { protos } = configTools;
const typeNames = {
  listeners: "envoy.config.listener.v3.Listener",
  clusters: "envoy.config.cluster.v3.Cluster",
  routes: "envoy.config.route.v3.RouteConfiguration",
  endpoints: "envoy.config.endpoint.v3.ClusterLoadAssignment",
} as const;
type Kind = keyof typeof typeNames;

/** What a control plane builds from maps of its own. */
const unordered = /^(virtual_hosts|domains|endpoints|lb_endpoints|filter_chains|server_names)$/;

/** The same message as another serialiser might write it. */
function spelledAnew(desc: DescMessage, bytes: Uint8Array, dice: Dice): Uint8Array<ArrayBuffer> {
  const message = fromBinary(desc, bytes);
  shuffle(desc, message, dice);
  return toBinary(desc, message);
}

function shuffle(desc: DescMessage, message: Message, dice: Dice): void {
  if (desc.typeName === "google.protobuf.Any") {
    const any = message as Any;
    const inner = protos.find(typeNameOf(any.typeUrl));
    if (inner) any.value = spelledAnew(inner, any.value, dice);
    return;
  }
  const members = message as unknown as Record<string, unknown>;
  for (const field of desc.fields) {
    const holder = field.oneof
      ? (members[field.oneof.localName] as Record<string, unknown>)
      : members;
    const key = field.oneof ? "value" : field.localName;
    if (field.oneof && holder["case"] !== field.localName) continue;
    const value = holder[key];
    if (value === undefined || value === null || typeof value !== "object") continue;
    if (field.message?.typeName === "google.protobuf.Struct")
      holder[key] = shuffledJson(value, dice);
    else if (field.message) shuffleInner(field.message, value, dice);
    if (field.fieldKind === "map") holder[key] = shuffledKeys(value, dice);
    if (field.fieldKind === "list" && unordered.test(field.name))
      holder[key] = dice.shuffled(value as unknown[]);
  }
}

/** `value`: a message, or a list or a map of some. */
function shuffleInner(desc: DescMessage, value: object, dice: Dice): void {
  for (const one of "$typeName" in value ? [value] : Object.values(value))
    if (typeof one === "object" && one !== null && "$typeName" in one)
      shuffle(desc, one as Message, dice);
}

const shuffledKeys = (value: object, dice: Dice): object =>
  Object.fromEntries(dice.shuffled(Object.entries(value)));

function shuffledJson(value: unknown, dice: Dice): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const inner = Object.entries(value).map(([key, one]) => [key, shuffledJson(one, dice)] as const);
  return shuffledKeys(Object.fromEntries(inner), dice);
}

const word = fc.constantFrom("ab", "ba", "abc", "cab", "x", "y");
const metadata = fc
  .dictionary(word, fc.dictionary(word, fc.oneof(word, fc.dictionary(word, word))))
  .map((filterMetadata) => ({ filterMetadata }));
const router = {
  "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
};
const routes = fc
  .record({
    hosts: fc.uniqueArray(
      fc.record({ name: word, domains: fc.uniqueArray(word, { minLength: 1 }) }),
      {
        selector: (host) => host.name,
        minLength: 1,
      },
    ),
    metadata,
    filters: fc.dictionary(word, fc.constant(router)),
  })
  .map(({ hosts, metadata: own, filters }) => ({
    name: "r",
    metadata: own,
    virtualHosts: hosts.map((host) => ({
      ...host,
      typedPerFilterConfig: filters,
      routes: [{ match: { prefix: "/" }, route: { cluster: "c" }, metadata: own }],
    })),
  }));
const endpoints = fc
  .array(fc.array(fc.record({ port: fc.integer({ min: 1, max: 99 }), metadata }), { minLength: 1 }))
  .map((localities) => ({
    clusterName: "c",
    endpoints: localities.map((ofOne, index) => ({
      locality: { zone: `${index}` },
      lbEndpoints: ofOne.map(({ port, metadata: own }) => ({
        endpoint: { address: { socketAddress: { address: "10.0.0.1", portValue: port } } },
        metadata: own,
      })),
    })),
  }));
const listeners = fc
  .record({ routes, chains: fc.uniqueArray(word, { minLength: 1 }), metadata })
  .map(({ routes: routeConfig, chains, metadata: own }) => ({
    name: "l",
    metadata: own,
    filterChains: chains.map((serverName) => ({
      filterChainMatch: { serverNames: [serverName, "other.test"] },
      filters: [
        {
          name: "hcm",
          typedConfig: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            statPrefix: "p",
            routeConfig,
          },
        },
      ],
    })),
  }));
const clusters = fc
  .record({ metadata, endpoints })
  .map(({ metadata: own, endpoints: loadAssignment }) => ({
    name: "c",
    metadata: own,
    loadAssignment,
  }));
const messages: Readonly<Record<Kind, fc.Arbitrary<object>>> = {
  listeners,
  clusters,
  routes,
  endpoints,
};

for (const kind of Object.keys(typeNames) as Kind[]) {
  const desc = protos.schema(typeNames[kind]);
  const written = messages[kind].map((message) =>
    bytesOf(typeNames[kind], JSON.stringify(message)),
  );

  test(`${kind}: another order of what has none means the same`, () => {
    fc.assert(
      fc.property(written, fc.nat(), (bytes, seed) => {
        const other = spelledAnew(desc, bytes, new Dice(seededRandom(seed)));
        assert.equal(decoders[kind].isEquivalent(bytes, other), true);
      }),
      { numRuns: 60 },
    );
  });

  test(`${kind}: what is not the same message is not equivalent`, () => {
    fc.assert(
      fc.property(written, written, (bytes, other) => {
        const areEqual = Buffer.compare(bytes, other) === 0;
        const isSame = decoders[kind].isEquivalent(bytes, other);
        if (areEqual) assert.equal(isSame, true);
        // Equal in meaning implies made of the same bytes: what the client looks at first.
        if (isSame) assert.deepEqual(bytes.toSorted(), other.toSorted());
      }),
      { numRuns: 60 },
    );
  });
}

test("the order of routes and of header mutations is theirs", () => {
  const withRoutes = (prefixes: readonly string[]) =>
    bytesOf(
      typeNames.routes,
      JSON.stringify({
        name: "r",
        virtualHosts: [
          {
            name: "v",
            domains: ["*"],
            routes: prefixes.map((prefix) => ({ match: { prefix }, route: { cluster: "c" } })),
          },
        ],
      }),
    );
  const [one, other] = [withRoutes(["/a", "/b"]), withRoutes(["/b", "/a"])];
  assert.equal(decoders.routes.isEquivalent(one, one), true);
  assert.equal(decoders.routes.isEquivalent(one, other), false);
});

test("bytes that cannot be read are like nothing else, and no depth of Anys ends the process", () => {
  const broken = new Uint8Array([10, 200]);
  assert.equal(decoders.routes.isEquivalent(broken, broken), false);
  const any = protos.schema<Any>("google.protobuf.Any");
  const typeUrl = "type.googleapis.com/google.protobuf.Any";
  let value: Uint8Array<ArrayBuffer> = new Uint8Array();
  for (let depth = 0; depth < 5_000; depth++)
    value = toBinary(any, { $typeName: "google.protobuf.Any", typeUrl, value });
  const schema = protos.schema<RouteConfiguration>(typeNames.routes);
  const message = create(schema, {
    typedPerFilterConfig: { deep: { $typeName: "google.protobuf.Any", typeUrl, value } },
  });
  const bytes = toBinary(schema, message);
  assert.equal(typeof decoders.routes.isEquivalent(bytes, bytes), "boolean");
});
