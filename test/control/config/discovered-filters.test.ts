import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesOf,
  decodeListenerYaml,
  decoders,
  errorsOf,
  listenerYaml,
  managerYaml,
  routerYaml,
  routesYaml,
  valueOf,
} from "../../support/config-tools.ts";

const types = "type.googleapis.com/envoy.extensions.filters.http";
const mutationType = `${types}.header_mutation.v3.HeaderMutation`;
const mutationYaml = `{"@type": ${mutationType}, mutations: {request_mutations: [{remove: a}, {append: {header: {key: A, value: b}}}]}}`;

function discoveredYaml(name: string, fields: string, typeUrl = mutationType): string {
  return `{name: ${name}, config_discovery: {config_source: {ads: {}}, type_urls: [${typeUrl}]${fields}}}`;
}

const decode = (...filters: readonly string[]) =>
  decodeListenerYaml(
    listenerYaml(
      `filter_chains: [{filters: [${managerYaml(`route_config: ${routesYaml("{match: {prefix: /}, direct_response: {status: 200}}")}`, filters.join(", "))}]}]`,
    ),
  );

function filtersOf(...filters: readonly string[]) {
  const { config, dependencies } = valueOf(decode(...filters));
  const [manager] = config.filterChains[0]?.filters ?? [];
  assert(manager?.kind === "httpConnectionManager");
  return { filters: manager.config.filters, dependencies };
}

test("a discovered filter is a place in the chain, and its listener waits for it", () => {
  const { filters, dependencies } = filtersOf(
    discoveredYaml("e", ""),
    discoveredYaml(
      "f",
      `, default_config: ${mutationYaml}, apply_default_config_without_warming: true`,
    ),
    routerYaml,
  );
  const append = { name: "a", value: "b", action: "append" } as const;
  const [first, second] = filters;
  assert(first?.kind === "discovered" && second?.kind === "discovered");
  assert.equal(first.fallback, undefined);
  assert.deepEqual(second.fallback, {
    kind: "headerMutation",
    request: [
      { add: [], remove: ["a"] },
      { add: [append], remove: [] },
    ],
    response: [],
  });
  assert.notEqual(first.id, second.id);
  assert.deepEqual(
    dependencies.map((one) => one.kind === "ecds" && one.subscription.isWaitedFor),
    [true, false],
  );
});

test("what can be judged at once is", () => {
  assert.deepEqual(errorsOf(decode(discoveredYaml("e", "", "a.test/foo.Bar"), routerYaml)), [
    "Error: no factory found for a required type URL foo.Bar.",
  ]);
  assert.deepEqual(
    errorsOf(
      decode(discoveredYaml("e", ", apply_default_config_without_warming: true"), routerYaml),
    ),
    ["Error: filter config e applied without warming but has no default config."],
  );
  const router = `{"@type": ${types}.router.v3.Router}`;
  assert.deepEqual(
    errorsOf(decode(discoveredYaml("e", `, default_config: ${router}`), routerYaml)),
    [
      "Error: filter config has type URL envoy.extensions.filters.http.router.v3.Router but expect envoy.extensions.filters.http.header_mutation.v3.HeaderMutation.",
    ],
  );
  assert.match(
    errorsOf(decode(routerYaml, discoveredYaml("e", ""))).join(),
    /terminal filter named envoy.filters.http.router .* must be the last filter/,
  );
  // Whether what comes ends the chain is judged when it comes.
  assert.deepEqual(errorsOf(decode(discoveredYaml("e", "", `${types}.router.v3.Router`))), []);
});

const decodeExtension = (yaml: string) =>
  decoders.extensions.decode(bytesOf("envoy.config.core.v3.TypedExtensionConfig", yaml));

test("a resource is read whoever asked for it; what is not built is left to them to refuse", () => {
  const { typeName, filters } = valueOf(
    decodeExtension(`{name: e, typed_config: ${mutationYaml}}`),
  );
  assert.equal(typeName, "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation");
  assert.deepEqual(
    filters.map(({ category, config, type, isTerminal }) => [
      category,
      config.kind,
      type,
      isTerminal,
    ]),
    [["HTTP filter", "headerMutation", "envoy.filters.http.header_mutation", false]],
  );
  const other = `{"@type": ${types}.fault.v3.HTTPFault}`;
  assert.deepEqual(valueOf(decodeExtension(`{name: e, typed_config: ${other}}`)).filters, []);
  const broken = `{"@type": ${mutationType}, mutations: {request_mutations: [{}]}}`;
  assert.match(
    errorsOf(decodeExtension(`{name: e, typed_config: ${broken}}`)).join(),
    /"action", reason: is required/,
  );
  const host = `{"@type": ${mutationType}, mutations: {request_mutations: [{append: {header: {key: host, value: x}}}]}}`;
  assert.deepEqual(errorsOf(decodeExtension(`{name: e, typed_config: ${host}}`)), [
    ":-prefixed or host headers may not be modified",
  ]);
});
