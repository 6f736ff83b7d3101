import assert from "node:assert/strict";
import { test } from "node:test";
import { createListenerComparison } from "../../../src/control/config/listener-comparison.ts";
import { createResourceDecoders } from "../../../src/control/config/resource-decoders.ts";
import {
  bytesOf,
  configTools,
  listenerYaml,
  managerYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";

/** Other tools know no chains. */
const fresh = () => createResourceDecoders({ ...configTools }).listeners;

/** Each for a port of its own; what `others` gives stands in place of the one for that port. */
function listenerBytes(ports: readonly number[], others: Readonly<Record<number, string>> = {}) {
  const chains = ports.map((port) => {
    const cluster = others[port] ?? `cluster: c${port}`;
    return `{filter_chain_match: {destination_port: ${port}}, filters: [${tcpProxyYaml(cluster)}]}`;
  });
  return bytesOf(
    "envoy.config.listener.v3.Listener",
    listenerYaml(`filter_chains: [${chains.join(", ")}]`),
  );
}

const ports = Array.from({ length: 20 }, (_, index) => index + 1);

test("a listener whose chains are known decodes as one whose chains are not", () => {
  const versions = [
    listenerBytes(ports),
    listenerBytes(ports, { 7: "cluster: other" }),
    listenerBytes(ports.toReversed(), { 3: "cluster: c3, idle_timeout: 5s" }),
    listenerBytes([...ports, 21, 22]),
    listenerBytes(ports.slice(0, 16)),
    listenerBytes(ports.slice(0, 3)),
  ];
  const decoder = fresh();
  for (const bytes of versions) {
    const [known, anew] = [decoder.decode(bytes), fresh().decode(bytes)];
    const [value, same] = [valueOf(known), valueOf(anew)];
    assert.equal(JSON.stringify(value.config), JSON.stringify(same.config));
    assert.deepEqual(value.facts, same.facts);
    assert.equal(value.hash, same.hash);
    assert.deepEqual(known.ok && known.warnings, anew.ok && anew.warnings);
  }
});

test("a chain with the same bytes is not decoded again, also when its config was forgotten", () => {
  const decoder = fresh();
  const before = valueOf(decoder.decode(listenerBytes(ports)));
  const chains = before.config.filterChains;
  const after = valueOf(decoder.decode(listenerBytes(ports, { 7: "cluster: other" })));
  for (const [index, chain] of after.config.filterChains.entries())
    assert.equal(chain === chains[index], ports[index] !== 7, `chain ${index}`);
  before.forgetConfig?.();
  assert(before.config.filterChains.every((chain, index) => chain === chains[index]));
});

test("needs and warnings of a known chain are the listener's again", () => {
  const manager = managerYaml(
    "rds: {route_config_name: r, config_source: {ads: {}}}, add_user_agent: true",
  );
  const many = (last: string): Uint8Array =>
    bytesOf(
      "envoy.config.listener.v3.Listener",
      listenerYaml(
        `filter_chains: [${[
          ...ports.map(
            (port) =>
              `{filter_chain_match: {destination_port: ${port}}, filters: [${manager}], on_demand_configuration: {}}`,
          ),
          `{filter_chain_match: {destination_port: 99}, filters: [${tcpProxyYaml(last)}]}`,
        ].join(", ")}]`,
      ),
    );
  const decoder = fresh();
  const [first, second] = ["cluster: a", "cluster: b"].map((last) => decoder.decode(many(last)));
  assert(first?.ok && second?.ok);
  assert.deepEqual(second.value.dependencies, first.value.dependencies);
  assert.equal(second.value.dependencies.length, 1);
  assert.equal(first.warnings.length, 2);
  assert.deepEqual(second.warnings, first.warnings);
});

test("what is wrong with a new chain is said as if none were known", () => {
  const decoder = fresh();
  valueOf(decoder.decode(listenerBytes(ports)));
  for (const wrong of ["idle_timeout: 5s", "cluster: c7, max_connect_attempts: 0"]) {
    const bytes = listenerBytes(ports, { 7: wrong });
    assert.deepEqual(decoder.decode(bytes), fresh().decode(bytes));
    assert.equal(decoder.decode(bytes).ok, false);
  }
  const broken = listenerBytes(ports).slice(0, -3);
  assert.deepEqual(decoder.decode(broken), fresh().decode(broken));
  const twice = listenerBytes([...ports, 5]);
  assert.deepEqual(decoder.decode(twice), fresh().decode(twice));
  assert.equal(decoder.decode(twice).ok, false);
});

test("a changed chain of many is named by its place among all", () => {
  const comparison = createListenerComparison(configTools.protos);
  const decoder = fresh();
  const [before, after, fewer] = [
    listenerBytes(ports),
    listenerBytes(ports, { 7: "cluster: other" }),
    listenerBytes(ports.slice(0, 18)),
  ].map((bytes) => valueOf(decoder.decode(bytes)));
  assert(before && after && fewer);
  assert.deepEqual(comparison.changedFields(before, after), [
    "filter_chains[6].filters[0].typed_config.cluster",
  ]);
  assert.deepEqual(comparison.changedFields(before, fewer), ["filter_chains"]);
});
