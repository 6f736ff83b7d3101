/** `filter_chain_matcher`, end to end. The same against Envoy, by SLUICE_TEST_PROXY. */
import assert from "node:assert/strict";
import {
  ChainMatcherStage,
  type MatcherListener,
  type Visit,
} from "../../support/chain-matcher-stage.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { chain } from "../../support/listener-filter-stage.ts";
import {
  all,
  byPort,
  custom,
  exactly,
  isIn,
  list,
  map,
  not,
  some,
  to,
  under,
} from "../../support/match-tree-messages.ts";

interface Case extends Omit<MatcherListener, "name"> {
  readonly visits: readonly (readonly [visit: Visit, chain: string])[];
}

const v6 = { from: "[2001:db8::1]:2222", to: "[2001:DB8:0::2]:443" };
/** By source port: `a` for 7. */
const inner = { matcher: map("SourcePort", { 7: to("a") }) };
const from7 = "10.0.0.1:7";

const byInput = (input: string, visit: Visit, value: string): Case => ({
  tree: map(input, { [value]: to("a") }, { on_no_match: to("b") }),
  visits: [[visit, "a"]],
});

const ranges = (isExclusive: boolean): object =>
  custom(
    "DestinationIP",
    "IPMatcher",
    {
      range_matchers: [
        {
          ranges: [{ address_prefix: "192.0.0.0", prefix_len: 8 }],
          on_match: to("b"),
          exclusive: isExclusive,
        },
        { ranges: [{ address_prefix: "192.0.2.0", prefix_len: 24 }], on_match: inner },
        { ranges: [{ address_prefix: "2001:db8::", prefix_len: 32 }], on_match: to("a") },
      ],
    },
    to("c"),
  );

const serverNames = (entries: Readonly<Record<string, object>>): object =>
  custom(
    "ServerName",
    "ServerNameMatcher",
    {
      domain_matchers: Object.entries(entries).map(([domain, onMatch]) => ({
        domains: [domain],
        on_match: onMatch,
      })),
    },
    to("c"),
  );

const text = (value: object) => ({ single: "ServerName", value });

const cases: Readonly<Record<string, Case>> = {
  "a map, and what is not in it": {
    tree: byPort({ 80: to("a") }, to("b")),
    visits: [
      [{}, "a"],
      [{ to: "192.0.2.1:90" }, "b"],
    ],
  },
  "nothing matches, and there is a default": {
    tree: byPort({ 80: to("a") }),
    hasDefault: true,
    visits: [[{ to: "192.0.2.1:81" }, "rest"]],
  },
  "an empty tree": { tree: {}, hasDefault: true, visits: [[{}, "rest"]] },
  "a tree that is only for what does not match": {
    tree: { on_no_match: to("b") },
    visits: [[{}, "b"]],
  },
  "what a chain itself matches is not asked": {
    tree: byPort({ 80: to("a") }),
    fields: { filter_chains: [chain({ name: "a", match: { destination_port: 9999 } })] },
    visits: [[{}, "a"]],
  },
  "destination address": byInput("DestinationIP", {}, "192.0.2.1"),
  "destination address of IPv6": byInput("DestinationIP", v6, "2001:db8::2"),
  "destination port": byInput("DestinationPort", {}, "80"),
  "source address": byInput("SourceIP", {}, "10.0.0.1"),
  "source address of IPv6": byInput("SourceIP", v6, "2001:db8::1"),
  "source port": byInput("SourcePort", {}, "1111"),
  "direct source address": byInput("DirectSourceIP", {}, "127.0.0.1"),
  "source of the same address": byInput("SourceType", { from: "192.0.2.1:5" }, "local"),
  "source on loopback": byInput("SourceType", { from: "127.0.0.1:5" }, "local"),
  "source elsewhere on loopback": {
    tree: map("SourceType", { local: to("a") }, { on_no_match: to("b") }),
    visits: [[{ from: "127.0.0.9:5" }, "b"]],
  },
  "server name": byInput("ServerName", { serverName: "A.test" }, "a.test"),
  "transport protocol of TLS": byInput("TransportProtocol", { serverName: "a.test" }, "tls"),
  "transport protocol of plain text": byInput("TransportProtocol", {}, "raw_buffer"),
  "application protocols": byInput(
    "ApplicationProtocol",
    { alpn: ["h2", "http/1.1"] },
    "'h2','http/1.1'",
  ),
  "one application protocol": byInput("ApplicationProtocol", { alpn: ["h2"] }, "'h2'"),
  "a value that is not there has no empty prefix": {
    tree: under("ServerName", { "": to("a") }, to("b")),
    visits: [[{}, "b"]],
  },
  "a value that is not there is not empty": {
    tree: map("SourceType", { "": to("a") }, { on_no_match: to("b") }),
    visits: [[{}, "b"]],
  },
  "a value that is not there matches what wants another": {
    tree: list([[not(exactly("ServerName", "a.test")), to("a")]], to("b")),
    visits: [
      [{}, "a"],
      [{ serverName: "a.test" }, "b"],
      [{ serverName: "b.test" }, "a"],
    ],
  },
  "predicates, and every kind of text": {
    tree: list(
      [
        [all(exactly("ServerName", "a.test"), exactly("DestinationPort", "80")), to("a")],
        [
          some(
            text({ prefix: "b." }),
            text({ suffix: ".end" }),
            text({ contains: "mid" }),
            text({ safe_regex: { google_re2: {}, regex: "r+" } }),
            text({ exact: "UPPER", ignore_case: true }),
          ),
          to("b"),
        ],
      ],
      to("c"),
    ),
    visits: [
      [{ serverName: "a.test" }, "a"],
      [{ serverName: "a.test", to: "192.0.2.1:81" }, "c"],
      [{ serverName: "b.test" }, "b"],
      [{ serverName: "x.end" }, "b"],
      [{ serverName: "amidst" }, "b"],
      [{ serverName: "rrr" }, "b"],
      [{ serverName: "rrx" }, "c"],
      [{ serverName: "upper" }, "b"],
    ],
  },
  "a tree in a list that finds nothing": {
    tree: list(
      [
        [exactly("DestinationPort", "80"), inner],
        [exactly("SourceIP", "10.0.0.1"), to("b")],
      ],
      to("c"),
    ),
    visits: [
      [{ from: from7 }, "a"],
      [{}, "b"],
      [{ from: "10.0.0.2:8" }, "c"],
    ],
  },
  "a tree in a map that finds nothing": {
    tree: byPort({ 80: inner }, to("c")),
    visits: [
      [{ from: from7 }, "a"],
      [{}, "c"],
    ],
  },
  "a tree under a prefix that finds nothing": {
    tree: under("DestinationIP", { "192.0.2.": inner, "192.": to("b") }, to("c")),
    visits: [
      [{ from: from7 }, "a"],
      [{}, "b"],
      [{ to: "198.51.100.1:80" }, "c"],
    ],
  },
  "a tree in the end that finds nothing": {
    tree: { on_no_match: inner },
    hasDefault: true,
    visits: [
      [{ from: from7 }, "a"],
      [{}, "rest"],
    ],
  },
  "ranges of addresses, the longest first": {
    tree: ranges(false),
    visits: [
      [{ from: from7 }, "a"],
      [{}, "b"],
      [{ to: "192.7.7.7:80" }, "b"],
      [{ to: "10.7.7.7:80" }, "c"],
      [v6, "a"],
    ],
  },
  "an exclusive range": {
    tree: ranges(true),
    visits: [
      [{ from: from7 }, "a"],
      [{}, "c"],
      [{ to: "192.7.7.7:80" }, "b"],
    ],
  },
  "ranges of addresses for what is none": {
    tree: custom(
      "DestinationPort",
      "IPMatcher",
      { range_matchers: [{ ranges: [{ address_prefix: "0.0.0.0" }], on_match: to("a") }] },
      to("c"),
    ),
    visits: [[{}, "c"]],
  },
  "server names, the longest wildcard first": {
    tree: serverNames({
      "a.test": to("a"),
      "*.b.test": { matcher: byPort({ 81: to("a") }) },
      "*.test": to("b"),
    }),
    visits: [
      [{ serverName: "a.test" }, "a"],
      [{ serverName: "x.a.test" }, "b"],
      [{ serverName: "x.b.test", to: "192.0.2.1:81" }, "a"],
      [{ serverName: "y.x.b.test" }, "b"],
      [{ serverName: "test" }, "c"],
      [{}, "c"],
    ],
  },
  "any server name": {
    tree: serverNames({ "*": to("a") }),
    visits: [
      [{ serverName: "any.name" }, "a"],
      [{ serverName: "one" }, "a"],
      [{}, "c"],
    ],
  },
  "a server name in capitals is found by nobody": {
    tree: serverNames({ "A.test": to("a") }),
    visits: [[{ serverName: "A.test" }, "c"]],
  },
  "the matcher of addresses": {
    tree: list(
      [
        [isIn("SourceIP", "10.0.0.0", 8), to("a")],
        [isIn("ServerName", "10.0.0.0", 8), to("b")],
      ],
      to("c"),
    ),
    visits: [
      [{}, "a"],
      [{ from: "11.0.0.1:1", serverName: "10.0.0.1" }, "b"],
      [{ from: "11.0.0.1:1", serverName: "a.test" }, "c"],
    ],
  },
};

forEachProxy("a matcher tree names the filter chain", async (start, open) => {
  const listeners = Object.entries(cases).map(([name, one]) => ({ ...one, name }));
  const stage = await ChainMatcherStage.start(listeners, start, open);
  for (const { name, visits } of listeners)
    for (const [visit, expected] of visits) {
      const served = await stage.served(name, visit);
      assert.equal(served, expected, `${name}: ${JSON.stringify(visit)}`);
    }
});

forEachProxy("whom no chain serves is closed, and counted", async (start, open) => {
  const listeners = [
    { name: "nothing", tree: byPort({ 80: to("a") }) },
    { name: "nobody", tree: byPort({ 80: to("nobody") }), hasDefault: true },
  ];
  const stage = await ChainMatcherStage.start(listeners, start, open);
  for (const { name } of listeners) {
    assert.equal(
      await stage.served(name, { to: "192.0.2.1:81" }),
      name === "nothing" ? "" : "rest",
    );
    assert.equal(await stage.served(name), name === "nothing" ? "a" : "");
    assert.equal(await stage.proxy.stat(`listener.${name}.no_filter_chain_match`), 1);
  }
});
