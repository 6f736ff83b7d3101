import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  VirtualHostIndex,
  withoutPort,
} from "../../../../src/data/http/router/virtual-host-index.ts";

function find(
  domains: readonly string[],
  authority: string,
  ignoresPort = false,
): string | undefined {
  const index = new VirtualHostIndex<string>(ignoresPort);
  for (const domain of domains) index.add(domain, domain);
  return index.find(authority);
}

test("find() prefers exact, then the longest suffix, then the longest prefix, then *", () => {
  const domains = ["*", "a.*", "a.b.*", "*.c", "*.b.c", "a.b.c"];
  assert.equal(find(domains, "a.b.c"), "a.b.c");
  assert.equal(find(domains, "x.b.c"), "*.b.c");
  assert.equal(find(domains, "x.c"), "*.c");
  assert.equal(find(domains, "a.b.x"), "a.b.*");
  assert.equal(find(domains, "a.x"), "a.*");
  assert.equal(find(domains, "x"), "*");
});

test("find() ignores case, and a wildcard stands for something", () => {
  assert.equal(find(["A.Example"], "a.EXAMPLE"), "A.Example");
  assert.equal(find(["*.c"], ".c"), undefined);
  assert.equal(find(["a.*"], "a."), undefined);
});

test("find() compares the port, unless ports are ignored", () => {
  assert.equal(find(["a"], "a:80"), undefined);
  assert.equal(find(["a:80"], "a:80"), "a:80");
  assert.equal(find(["a"], "a:80", true), "a");
  assert.equal(find(["[::1]"], "[::1]:80", true), "[::1]");
});

test("withoutPort() leaves what has no port", () => {
  for (const host of ["a", "[::1]", "::1", ""]) assert.equal(withoutPort(host), host);
  assert.equal(withoutPort("a:1"), "a");
});

test("find() agrees with looking at every domain in order of preference", () => {
  const label = fc.constantFrom("a", "b", "c");
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  const domain = fc.oneof(
    host,
    host.map((name) => `*.${name}`),
    host.map((name) => `${name}.*`),
    fc.constant("*"),
  );
  fc.assert(
    fc.property(fc.uniqueArray(domain, { maxLength: 12 }), host, (domains, name) => {
      assert.equal(find(domains, name), bruteForce(domains, name));
    }),
  );
});

function bruteForce(domains: readonly string[], name: string): string | undefined {
  const longestFirst = [...domains].sort((a, b) => b.length - a.length);
  return (
    domains.find((domain) => domain === name) ??
    longestFirst.find(
      (d) => d.startsWith("*") && d !== "*" && name.endsWith(d.slice(1)) && name.length >= d.length,
    ) ??
    longestFirst.find(
      (d) =>
        d.endsWith("*") && d !== "*" && name.startsWith(d.slice(0, -1)) && name.length >= d.length,
    ) ??
    domains.find((domain) => domain === "*")
  );
}

const anyDomain = fc.constantFrom("*", "a.b", "b", "*.b", "*b", "a.*", "a*", "*.a.b", "a.b*");
const anyStep = fc.record({ adds: fc.boolean(), domain: anyDomain });

test("an index from which domains were removed is as one that never had them", () => {
  const probes = ["a.b", "b", "x.b", "xb", "a.x", "ax", "x.a.b", "a.bx", "q"];
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), (steps) => {
      const index = new VirtualHostIndex<string>(false);
      const there = new Set<string>();
      for (const { adds, domain } of steps) {
        if (adds) index.add(domain, domain);
        else index.remove(domain, domain);
        if (adds) there.add(domain);
        else there.delete(domain);
        index.remove(domain, "somebody else's");
      }
      const fresh = new VirtualHostIndex<string>(false);
      for (const domain of there) fresh.add(domain, domain);
      for (const probe of probes) assert.equal(index.find(probe), fresh.find(probe));
      assert.equal(index.isDefaultOnly, fresh.isDefaultOnly);
    }),
  );
});
