import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byPort,
  custom,
  exactly,
  list,
  map,
  to,
  under,
} from "../../support/match-tree-messages.ts";
import { decodeListenerYaml, errorsOf, tcpProxyYaml, valueOf } from "../../support/config-tools.ts";

const chains = (...names: readonly string[]): string =>
  names.map((name) => `{name: "${name}", filters: [${tcpProxyYaml()}]}`).join(", ");

const listener = (tree: object, names: readonly string[] = ["a", "b"]) =>
  decodeListenerYaml(`
name: l
address: {socket_address: {address: 127.0.0.1, port_value: 80}}
filter_chains: [${chains(...names)}]
filter_chain_matcher: ${JSON.stringify(tree)}`);

const treeOf = (tree: object) => valueOf(listener(tree)).config.chainMatcher;

test("a tree is resolved, whatever the order of its maps", () => {
  const tree = treeOf(byPort({ 81: to("b"), 80: { ...to("a"), keep_matching: true } }, to("x")));
  assert.deepEqual(tree, {
    branch: {
      kind: "exactMap",
      input: "destinationPort",
      entries: [
        ["80", { keepsMatching: true, leadsTo: { kind: "action", action: "a" } }],
        ["81", { keepsMatching: false, leadsTo: { kind: "action", action: "b" } }],
      ],
    },
    onNoMatch: { keepsMatching: false, leadsTo: { kind: "action", action: "x" } },
  });
  assert.deepEqual(
    treeOf(byPort({ 80: to("a"), 81: to("b") })),
    treeOf(byPort({ 81: to("b"), 80: to("a") })),
  );
});

test("chains need names of their own, and what they match may be the same", () => {
  const tree = byPort({ 80: to("a") });
  const prefix = "error adding listener '127.0.0.1:80': ";
  assert.deepEqual(errorsOf(listener(tree, ["a", ""])), [
    `${prefix}"name" field is required when using a listener matcher`,
  ]);
  assert.deepEqual(errorsOf(listener(tree, ["a", "a"])), [
    `${prefix}"name" field is duplicated with value 'a'`,
  ]);
  assert(listener(tree, ["a", "b"]).ok);
});

const refused: readonly (readonly [name: string, tree: object, error: RegExp])[] = [
  [
    "an input that is not built",
    {
      matcher_tree: {
        ...inputTree("envoy.extensions.matching.common_inputs.network.v3.FilterStateInput", {
          key: "k",
        }),
      },
    },
    /Didn't find a registered implementation for 'i' with type URL: '.*FilterStateInput' \(matching input: built are .*server_name/,
  ],
  [
    "an input of requests",
    {
      matcher_tree: {
        ...inputTree("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: "h" }),
      },
    },
    /HttpRequestHeaderMatchInput/,
  ],
  [
    "an action that is no name",
    byPort({
      80: {
        action: {
          name: "a",
          typed_config: { "@type": "type.googleapis.com/google.protobuf.Empty" },
        },
      },
    }),
    /^cannot create a filter chain matcher: Didn't find a registered implementation for 'a' with type URL: 'google.protobuf.Empty'/,
  ],
  [
    "an expression that is none",
    list([
      [{ single: "ServerName", value: { safe_regex: { google_re2: {}, regex: "(x" } } }, to("a")],
    ]),
    /^cannot create a filter chain matcher: invalid regex '\(x'/,
  ],
  [
    "an address that is none",
    ranges({ ranges: [{ address_prefix: "abc", prefix_len: 8 }], on_match: to("a") }),
    /^cannot create a filter chain matcher: malformed IP address: abc$/,
  ],
  [
    "a range that leads nowhere",
    ranges({ ranges: [{ address_prefix: "10.0.0.0" }] }),
    /IPRangeMatcher.on_match: is required/,
  ],
  ["a partial wildcard", names("*a.test"), /Invalid wildcard domain format: \*a\.test\. Only/],
  ["a wildcard within", names("a*.test"), /Only '\*' and '\*\.domain' patterns are supported/],
  ["two wildcards", names("*.*.test"), /Multiple wildcards are not supported/],
  ["an empty domain", names(""), /Empty domain in ServerNameMatcher/],
  ["a domain twice", names("a.test", "a.test"), /Duplicate domain in ServerNameMatcher: a\.test/],
  [
    "an empty map",
    under("ServerName", {}),
    /MatchMapValidationError.Map: value must contain at least 1 pair/,
  ],
  [
    "or with one predicate",
    list([[{ message: { or_matcher: { predicate: [] } } }, to("a")]]),
    /at least 2/,
  ],
  ["matchers without end", nested(18), /nested deeper than 16/],
];

for (const [name, tree, error] of refused)
  test(`refuses ${name}`, () => {
    const errors = errorsOf(listener(tree));
    assert(
      errors.some((one) => error.test(one)),
      errors.join("\n"),
    );
  });

function inputTree(type: string, fields: object): object {
  return {
    input: { name: "i", typed_config: { "@type": `type.googleapis.com/${type}`, ...fields } },
    exact_match_map: { map: { x: to("a") } },
  };
}

function ranges(...rangeMatchers: readonly object[]): object {
  return custom("SourceIP", "IPMatcher", { range_matchers: rangeMatchers });
}

function names(...domains: readonly string[]): object {
  return custom("ServerName", "ServerNameMatcher", {
    domain_matchers: [{ domains, on_match: to("a") }],
  });
}

function nested(depth: number): object {
  if (depth === 0) return list([[exactly("ServerName", "a"), to("a")]]);
  return map("ServerName", { x: { matcher: nested(depth - 1) } });
}
