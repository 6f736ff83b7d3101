import assert from "node:assert/strict";
import { test } from "node:test";
import type { RoutedRequest } from "../../../../src/data/http/router/compiled-route.ts";
import { RouteTable } from "../../../../src/data/http/router/route-table.ts";
import { requestHead } from "../../../../src/data/http/http1/request-head.ts";
import { WorkerRuntime } from "../../../../src/data/upstream/worker-runtime.ts";
import type { RouteMatch } from "../../../../src/shared/config/route-config.ts";
import type { HeaderMatcher, StringMatcher } from "../../../../src/shared/config/matchers.ts";
import { clusterAction, route, routeConfig, virtualHost } from "../../../support/http-fixture.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

/** Lots and runtime of a worker. */
function chance(seed: number) {
  return { random: seededRandom(seed), runtime: new WorkerRuntime() };
}

/** A request with these fields, its head in the thread's table. */
function request(target: string, fields: readonly string[] = []): RoutedRequest {
  const text = [`GET ${target} HTTP/1.1`, "Host: h", ...fields, "", ""].join("\r\n");
  const buffer = Buffer.from(text, "latin1");
  assert.equal(requestHead.parse(buffer, 0, buffer.length, 100), buffer.length);
  const [path = "", query = ""] = target.split("?");
  return {
    buffer,
    isConnect: false,
    path,
    queryText: () => query,
    authorityText: () => "h",
    scheme: () => "http",
    pseudoHeader: (name) => (name === ":method" ? "GET" : undefined),
  };
}

/** Whether a route with this match takes the request. */
function matches(match: Partial<RouteMatch>, target: string, fields?: readonly string[]): boolean {
  const base = route("/").match;
  const table = new RouteTable(
    routeConfig({
      virtualHosts: [virtualHost(["*"], [route("/", { match: { ...base, ...match } })])],
    }),
    chance(1),
  );
  return table.find(request(target, fields)) !== undefined;
}

const exact = (value: string, ignoreCase = false): StringMatcher => ({
  kind: "exact",
  value,
  ignoreCase,
});

test("paths match by prefix, exactly, by separated prefix, by regex", () => {
  assert.equal(matches({ path: { kind: "prefix", value: "/a" } }, "/ab"), true);
  assert.equal(matches({ path: { kind: "exact", value: "/a" } }, "/ab"), false);
  assert.equal(matches({ path: { kind: "exact", value: "/a" } }, "/a?b"), true);
  const separated = { path: { kind: "pathSeparatedPrefix", value: "/a" } } as const;
  assert.equal(matches(separated, "/a"), true);
  assert.equal(matches(separated, "/a/b"), true);
  assert.equal(matches(separated, "/ab"), false);
  const regex = { path: { kind: "regex", regex: { source: "/a+" } } } as const;
  assert.equal(matches(regex, "/aaa"), true);
  assert.equal(matches(regex, "/aab"), false);
});

test("case_sensitive false lets any case match, but for regexes", () => {
  const path = { kind: "prefix", value: "/Ab" } as const;
  assert.equal(matches({ path }, "/aB"), false);
  assert.equal(matches({ path, caseSensitive: false }, "/aBc"), true);
});

test("header matchers follow Envoy where headers are missing", () => {
  const matcher = (overrides: Partial<HeaderMatcher>): Partial<RouteMatch> => ({
    headers: [
      {
        name: "x-a",
        match: { kind: "string", matcher: exact("1") },
        invert: false,
        treatMissingAsEmpty: false,
        ...overrides,
      },
    ],
  });
  assert.equal(matches(matcher({}), "/", ["X-A: 1"]), true);
  assert.equal(matches(matcher({}), "/", ["X-A: 1", "X-A: 2"]), false);
  assert.equal(matches(matcher({ invert: true }), "/", ["X-A: 2"]), true);
  assert.equal(matches(matcher({ invert: true }), "/"), false);
  assert.equal(matches(matcher({ invert: true, treatMissingAsEmpty: true }), "/"), true);
  const present = (isPresent: boolean) =>
    matcher({ match: { kind: "present", present: isPresent } });
  assert.equal(matches(present(true), "/", ["X-A:"]), true);
  assert.equal(matches(present(true), "/"), false);
  assert.equal(matches(present(false), "/"), true);
  const range = matcher({ match: { kind: "range", start: -5, end: 5 } });
  assert.equal(matches(range, "/", ["X-A: -5"]), true);
  assert.equal(matches(range, "/", ["X-A: 5"]), false);
  assert.equal(matches(range, "/", ["X-A: 1x"]), false);
  assert.equal(
    matches({ headers: [{ ...matcher({}).headers?.[0], name: ":method" } as HeaderMatcher] }, "/"),
    false,
  );
});

test("query matchers compare the first value", () => {
  const query = (name: string, matcher?: StringMatcher): Partial<RouteMatch> => ({
    queryParameters: [{ name, matcher }],
  });
  assert.equal(matches(query("a"), "/?b&a"), true);
  assert.equal(matches(query("a"), "/?ab=1"), false);
  assert.equal(matches(query("a", exact("1")), "/?a=1&a=2"), true);
  assert.equal(matches(query("a", exact("X", true)), "/?a=x"), true);
});

test("the first route that matches wins, and fractions choose by chance", () => {
  const half = { ...route("/").match, runtimeFraction: { runtimeKey: "half", otherwise: 500_000 } };
  const lots = chance(7);
  const table = new RouteTable(
    routeConfig({
      virtualHosts: [
        virtualHost(
          ["*"],
          [route("/", { name: "half", match: half }), route("/", { name: "all" })],
        ),
      ],
    }),
    lots,
  );
  const halves = () =>
    Array.from({ length: 2_000 }, () => table.find(request("/"))?.name).filter(
      (name) => name === "half",
    ).length;
  const count = halves();
  assert.ok(count > 850 && count < 1150, String(count));
  lots.runtime.set(new Map([["half", 100]]));
  assert.equal(halves(), 2_000, "an integer of runtime is a percentage");
  lots.runtime.set(new Map([["half", { millionths: 0 }]]));
  assert.equal(halves(), 0);
});

test("weighted clusters share requests by weight; a header may name the cluster", () => {
  const clusters = [
    { name: "a", weight: 3 },
    { name: "b", weight: 1 },
    { name: "none", weight: 0 },
  ];
  const pick = (action: Parameters<typeof clusterAction>[0], fields: readonly string[] = []) => {
    const table = new RouteTable(
      routeConfig({
        virtualHosts: [virtualHost(["*"], [route("/", { action: clusterAction(action) })])],
      }),
      chance(3),
    );
    return () => {
      const asked = request("/", fields);
      return table.find(asked)?.chooseCluster(asked);
    };
  };
  const weighted = pick({ clusters });
  const names = Array.from({ length: 2_000 }, weighted);
  const count = (name: string): number => names.filter((each) => each === name).length;
  assert.ok(Math.abs(count("a") - 1500) < 100);
  assert.equal(count("none"), 0);
  assert.equal(pick({ clusters: { header: "x-to" } }, ["X-To: z"])(), "z");
  assert.equal(pick({ clusters: { header: "x-to" } })(), undefined);
});

test("a virtual host that wants TLS sends everyone there", () => {
  const host = virtualHost(["*"], [route("/")], { requireTls: "all" });
  const table = new RouteTable(routeConfig({ virtualHosts: [host] }), chance(1));
  const found = table.find(request("/"))?.action;
  assert.equal(found?.kind, "redirect");
});

const authority = (host: string): RoutedRequest => ({ ...request("/"), authorityText: () => host });
const hostFor = (name: string, ...domains: string[]) =>
  virtualHost(domains, [route("/")], { name });

test("discovered virtual hosts come, change and go within a table", () => {
  const table = new RouteTable(
    routeConfig({
      name: "r",
      virtualHosts: [hostFor("own", "own.example")],
      discovered: [hostFor("first", "first.example")],
    }),
    chance(1),
  );
  const found = (host: string) => table.find(authority(host))?.virtualHostName;
  assert.deepEqual([found("own.example"), found("FIRST.example")], ["own", "first"]);
  table.update({ changed: [hostFor("first", "second.example", "*.wild")], removed: [] });
  assert.deepEqual([found("first.example"), found("second.example")], [undefined, "first"]);
  assert.equal(found("a.wild"), "first");
  table.update({ changed: [hostFor("other", "second.example")], removed: ["first"] });
  assert.deepEqual([found("second.example"), found("a.wild")], ["other", undefined]);
  assert.equal(found("own.example"), "own");
});

test("a host is wanted where none is known and some are discovered", () => {
  const config = routeConfig({ name: "r", virtualHosts: [hostFor("own", "own.example")] });
  const plain = new RouteTable(config, chance(1));
  assert.equal(plain.wantOf(authority("x.example")), undefined);
  const table = new RouteTable({ ...config, discovered: [] }, chance(1));
  assert.equal(table.wantOf(authority("own.example")), undefined);
  assert.equal(table.wantOf(authority("x".repeat(2_000))), undefined);
  assert.deepEqual(table.wantOf(authority("X.example:80")), {
    kind: "virtualHost",
    routes: "r",
    host: "x.example:80",
  });
});
