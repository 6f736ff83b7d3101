import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SocketAddress } from "../../../src/shared/common/address.ts";
import type {
  FilterChainConfig,
  FilterChainMatch,
} from "../../../src/shared/config/listener-config.ts";
import {
  type ConnectionFacts,
  compileFilterChainMatcher,
} from "../../../src/data/network/filter-chain-match.ts";

const noMatch: FilterChainMatch = {
  destinationPort: undefined,
  prefixRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  directSourcePrefixRanges: [],
  sourceType: "any",
  sourcePrefixRanges: [],
  sourcePorts: [],
};

function chain(id: string, match: Partial<FilterChainMatch>): FilterChainConfig {
  return {
    id,
    revision: "",
    name: id,
    match: { ...noMatch, ...match },
    filters: [],
    transportSocket: { kind: "rawBuffer" },
    transportSocketConnectTimeoutMs: 0,
  };
}

const ip = (text: string, port = 1): SocketAddress => ({ kind: "ip", ip: text, port });

function facts(overrides: Partial<ConnectionFacts> = {}): ConnectionFacts {
  return {
    localAddress: ip("10.0.0.1", 80),
    remoteAddress: ip("10.1.0.1", 40_000),
    directRemoteAddress: ip("10.1.0.1", 40_000),
    serverName: "",
    transportProtocol: "raw_buffer",
    applicationProtocols: [],
    ...overrides,
  };
}

function found(chains: readonly FilterChainConfig[], overrides: Partial<ConnectionFacts> = {}) {
  return compileFilterChainMatcher(chains)(facts(overrides))?.id;
}

test("compileFilterChainMatcher() takes the longest prefix, of both families", () => {
  const chains = [
    chain("any", {}),
    chain("10/8", { prefixRanges: [{ ip: "10.0.0.0", prefixLength: 8 }] }),
    chain("10.0/16", { prefixRanges: [{ ip: "10.0.0.0", prefixLength: 16 }] }),
    chain("v6", { prefixRanges: [{ ip: "2001:db8::", prefixLength: 32 }] }),
  ];
  assert.equal(found(chains), "10.0/16");
  assert.equal(found(chains, { localAddress: ip("10.9.0.1") }), "10/8");
  assert.equal(found(chains, { localAddress: ip("::ffff:10.9.0.1") }), "10/8");
  assert.equal(found(chains, { localAddress: ip("2001:db8:1::7") }), "v6");
  assert.equal(found(chains, { localAddress: ip("2001:db9::") }), "any");
  assert.equal(found(chains, { localAddress: { kind: "pipe", path: "/x", mode: 0 } }), "any");
});

test("compileFilterChainMatcher() takes the exact name, then the longest suffix, then none", () => {
  const chains = [
    chain("none", {}),
    chain("com", { serverNames: ["*.com"] }),
    chain("example", { serverNames: ["*.example.com"] }),
    chain("exact", { serverNames: ["www.example.com"] }),
  ];
  assert.equal(found(chains, { serverName: "www.example.com" }), "exact");
  assert.equal(found(chains, { serverName: "a.www.example.com" }), "example");
  assert.equal(found(chains, { serverName: "example.com" }), "com");
  assert.equal(found(chains, { serverName: "com" }), "none");
});

test("compileFilterChainMatcher() does not go back once a criterion was more specific", () => {
  const chains = [
    chain("any", {}),
    chain("port", { destinationPort: 80, transportProtocol: "tls" }),
  ];
  assert.equal(found(chains), undefined);
  assert.equal(found(chains, { localAddress: ip("10.0.0.1", 81) }), "any");
});

test("compileFilterChainMatcher() knows local from external sources", () => {
  const chains = [
    chain("local", { sourceType: "sameIpOrLoopback" }),
    chain("external", { sourceType: "external" }),
  ];
  assert.equal(found(chains), "external");
  assert.equal(found(chains, { remoteAddress: ip("10.0.0.1") }), "local");
  assert.equal(found(chains, { remoteAddress: ip("::1") }), "local");
  assert.equal(found(chains, { remoteAddress: ip("127.0.0.1") }), "local");
  // Envoy knows one address of the network.
  assert.equal(found(chains, { remoteAddress: ip("127.0.0.9") }), "external");
});

test("compileFilterChainMatcher() never matches a prefix that is no address", () => {
  const chains = [chain("bad", { prefixRanges: [{ ip: "nonsense", prefixLength: 0 }] })];
  assert.equal(found(chains), undefined);
});

// The property: the compiled matcher equals a filter that is applied criterion by criterion to the list
// of all chains, each written out once per combination of its values.

const ips = ["10.0.0.1", "10.0.1.1", "10.1.0.1", "127.0.0.1"] as const;
const names = ["a.example.com", "b.example.com", "example.com", "com"] as const;
const anyPrefixes = fc.uniqueArray(
  fc.record({ ip: fc.constantFrom(...ips), prefixLength: fc.constantFrom(8, 16, 24, 32) }),
  { maxLength: 2, selector: (range) => JSON.stringify(range) },
);
const anyMatch: fc.Arbitrary<FilterChainMatch> = fc.record({
  destinationPort: fc.option(fc.constantFrom(80, 81), { nil: undefined }),
  prefixRanges: anyPrefixes,
  serverNames: fc.uniqueArray(fc.constantFrom(...names, "*.example.com", "*.com"), {
    maxLength: 2,
  }),
  transportProtocol: fc.constantFrom("", "tls", "raw_buffer"),
  applicationProtocols: fc.uniqueArray(fc.constantFrom("h2", "http/1.1"), { maxLength: 2 }),
  directSourcePrefixRanges: anyPrefixes,
  sourceType: fc.constantFrom("any", "sameIpOrLoopback", "external"),
  sourcePrefixRanges: anyPrefixes,
  sourcePorts: fc.uniqueArray(fc.constantFrom(1, 2), { maxLength: 2 }),
});
/** Most criteria open, as in real listeners; else hardly anything ever matches. */
const anySparseMatch = fc
  .tuple(anyMatch, fc.subarray(Object.keys(noMatch), { maxLength: 3 }))
  .map(([match, kept]) =>
    Object.fromEntries(Object.entries(match).filter(([name]) => kept.includes(name))),
  );
const anyFacts: fc.Arbitrary<ConnectionFacts> = fc.record({
  localAddress: fc
    .tuple(fc.constantFrom(...ips), fc.constantFrom(80, 81))
    .map(([a, p]) => ip(a, p)),
  remoteAddress: fc.tuple(fc.constantFrom(...ips), fc.constantFrom(1, 2)).map(([a, p]) => ip(a, p)),
  directRemoteAddress: fc.constantFrom(...ips).map((a) => ip(a)),
  serverName: fc.constantFrom("", ...names),
  transportProtocol: fc.constantFrom("tls", "raw_buffer"),
  applicationProtocols: fc.subarray(["h2", "http/1.1"]),
});

test("compileFilterChainMatcher() equals a brute-force matcher", () => {
  let matched = 0;
  const anyChains = fc.array(anySparseMatch, { maxLength: 8 });
  fc.assert(
    fc.property(anyChains, anyFacts, (matches, connection) => {
      const chains = matches.map((match, index) => chain(String(index), match));
      const expected = bruteForce(chains, connection)?.id;
      assert.equal(compileFilterChainMatcher(chains)(connection)?.id, expected);
      if (expected !== undefined) matched++;
    }),
    { numRuns: 3_000 },
  );
  assert(matched > 500, `only ${matched} of the runs matched anything`);
});

type Score = (value: string | undefined) => number;
interface Written {
  readonly chain: FilterChainConfig;
  readonly values: readonly (string | undefined)[];
}

/** Undefined in `values`: does not ask. A score is negative: no match; else higher is better. */
function bruteForce(
  chains: readonly FilterChainConfig[],
  connection: ConnectionFacts,
): FilterChainConfig | undefined {
  let left = chains.flatMap(writtenOut);
  for (const [index, score] of scores(connection).entries()) {
    const best = Math.max(-1, ...left.map(({ values }) => score(values[index])));
    if (best < 0) return undefined;
    left = left.filter(({ values }) => score(values[index]) === best);
  }
  return left[0]?.chain;
}

function scores(connection: ConnectionFacts): Score[] {
  const { localAddress, remoteAddress, directRemoteAddress } = connection;
  const equal =
    (wanted: string): Score =>
    (value) =>
      value === undefined ? 0 : value === wanted ? 1 : -1;
  const port = (address: SocketAddress) => String(address.kind === "ip" && address.port);
  const isLocal = text(remoteAddress) === "127.0.0.1" || text(remoteAddress) === text(localAddress);
  const protocols = connection.applicationProtocols;
  return [
    equal(port(localAddress)),
    prefixScore(text(localAddress)),
    (value) => nameScore(value, connection.serverName),
    equal(connection.transportProtocol),
    (value) => {
      if (value === undefined) return 0;
      const at = protocols.indexOf(value);
      return at < 0 ? -1 : protocols.length - at;
    },
    prefixScore(text(directRemoteAddress)),
    equal(isLocal ? "sameIpOrLoopback" : "external"),
    prefixScore(text(remoteAddress)),
    equal(port(remoteAddress)),
  ];
}

function text(address: SocketAddress): string {
  return address.kind === "ip" ? address.ip : "";
}

function prefixScore(address: string): Score {
  return (value) => {
    if (value === undefined) return 0;
    const [prefix = "", length = ""] = value.split("/");
    const octets = Number(length) / 8;
    const head = (full: string) => full.split(".").slice(0, octets).join(".");
    return head(prefix) === head(address) ? Number(length) : -1;
  };
}

function nameScore(value: string | undefined, name: string): number {
  if (value === undefined) return 0;
  if (value === name) return 1_000;
  const suffix = value.slice(1);
  return value.startsWith("*") && name.endsWith(suffix) && name !== suffix.slice(1)
    ? value.length
    : -1;
}

function writtenOut(config: FilterChainConfig): Written[] {
  const { match } = config;
  const ranges = (list: FilterChainMatch["prefixRanges"]) =>
    list.map((range) => `${range.ip}/${range.prefixLength}`);
  const lists = [
    match.destinationPort === undefined ? [] : [String(match.destinationPort)],
    ranges(match.prefixRanges),
    match.serverNames,
    match.transportProtocol === "" ? [] : [match.transportProtocol],
    match.applicationProtocols,
    ranges(match.directSourcePrefixRanges),
    match.sourceType === "any" ? [] : [match.sourceType],
    ranges(match.sourcePrefixRanges),
    match.sourcePorts.map(String),
  ];
  const combinations = lists.reduce<(string | undefined)[][]>(
    (done, list) =>
      done.flatMap((values) =>
        (list.length === 0 ? [undefined] : list).map((value) => [...values, value]),
      ),
    [[]],
  );
  return combinations.map((values) => ({ chain: config, values }));
}
