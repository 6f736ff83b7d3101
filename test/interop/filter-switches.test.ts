/**
 * HTTP filters that routes turn off and on, by level: the same requests run against Sluice and, with SLUICE_TEST_PROXY,
 * against Envoy.
 */
import assert from "node:assert/strict";
import { forEachProxy } from "../support/each-proxy.ts";
import { get } from "../support/http-client.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { httpFilter } from "../support/http-filter-config.ts";
import { httpListener } from "../support/truth-resources.ts";

const type = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
const off = (name: string): object => ({ [name]: { "@type": type, disabled: true } });
const on = (name: string): object => ({ [name]: { "@type": type, config: {} } });

/** Each adds its name to a field of the response. */
function adds(name: string, fields: object = {}): object {
  const header = { key: "x-passed", value: name };
  const mutations = { response_mutations: [{ append: { header } }] };
  return { ...httpFilter("header_mutation.v3.HeaderMutation", { mutations }), ...fields, name };
}

const filters = [
  adds("a"),
  adds("b"),
  adds("c", { disabled: true }),
  httpFilter("router.v3.Router"),
];

/** By host and path. */
const wanted = {
  "plain.test/": "b,a",
  "plain.test/without-a": "b",
  "plain.test/with-c": "c,b,a",
  "off.test/": "b",
  "off.test/with-a": "b,a",
  "off.test/without-b": undefined,
};

const direct = (path: string, ...said: readonly object[]): object => ({
  match: { path },
  direct_response: { status: 200 },
  typed_per_filter_config: Object.assign({}, ...said) as object,
});

forEachProxy("routes turn filters off and on", async (start) => {
  const routing = {
    http_filters: filters,
    route_config: {
      virtual_hosts: [
        {
          name: "plain",
          domains: ["plain.test"],
          routes: [direct("/"), direct("/without-a", off("a")), direct("/with-c", on("c"))],
        },
        {
          name: "off",
          domains: ["off.test"],
          typed_per_filter_config: off("a"),
          routes: [direct("/"), direct("/with-a", on("a")), direct("/without-b", off("b"))],
        },
      ],
    },
  };
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners: [httpListener("edge", routing)] },
  });
  const port = (await proxy.listenerPorts()).get("edge") ?? 0;
  for (const [where, names] of Object.entries(wanted)) {
    const [host = "", path = ""] = where.split(/(?=\/)/);
    const { headers } = await get(port, path, false, { host });
    assert.equal(headers["x-passed"]?.toString().replaceAll(" ", ""), names, where);
  }
});
