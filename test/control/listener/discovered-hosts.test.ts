import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type DiscoveredHost,
  DiscoveredHosts,
} from "../../../src/control/listener/discovered-hosts.ts";
import type { VirtualHost } from "../../../src/shared/config/route-config.ts";
import { route, virtualHost } from "../../support/http-fixture.ts";

const host = (name: string, ...domains: string[]): VirtualHost =>
  virtualHost(domains, [route("/")], { name });
const sketch = (name: string, virtual: VirtualHost): DiscoveredHost => ({ name, host: virtual });
const names = (hosts: readonly VirtualHost[]): readonly string[] => hosts.map(({ name }) => name);

test("a domain belongs to one virtual host, in Envoy's words", () => {
  const hosts = new DiscoveredHosts("r");
  hosts.setStatic([host("static", "s.example", "*")]);
  const { changed, conflicts } = hosts.apply(
    [
      sketch("r/a", host("a", "a.example")),
      sketch("r/b", host("b", "b.example", "a.example")),
      sketch("r/c", host("c", "s.example")),
      sketch("r/d", host("d", "*")),
    ],
    [],
  );
  assert.deepEqual(names(changed), ["a"]);
  assert.deepEqual(conflicts, [
    {
      name: "r/b",
      message:
        "Only unique values for domains are permitted. Duplicate entry of domain a.example in route r",
    },
    {
      name: "r/c",
      message:
        "Only unique values for domains are permitted. Duplicate entry of domain s.example in route r",
    },
    { name: "r/d", message: "Only a single wildcard domain is permitted in route r" },
  ]);
});

test("domains change hands within a push; what is refused leaves the one before it", () => {
  const hosts = new DiscoveredHosts("r");
  hosts.apply([sketch("r/a", host("a", "1")), sketch("r/b", host("b", "2"))], []);
  const swapped = hosts.apply([sketch("r/a", host("a", "2")), sketch("r/b", host("b", "1"))], []);
  assert.deepEqual([names(swapped.changed), swapped.conflicts], [["a", "b"], []]);
  const { conflicts } = hosts.apply([sketch("r/a", host("a", "1"))], []);
  assert.equal(conflicts.length, 1);
  assert.deepEqual(hosts.hosts.find(({ name }) => name === "a")?.domains, ["2"]);
});

test("a virtual host is gone with the last of its names", () => {
  const hosts = new DiscoveredHosts("r");
  const one = host("r/one", "one.example");
  hosts.apply([sketch("r/one", one), sketch("r/one.example", one)], []);
  assert.deepEqual(hosts.apply([], ["r/one.example"]).removed, []);
  assert.deepEqual(hosts.apply([], ["r/one"]).removed, ["r/one"]);
  assert.deepEqual(hosts.hosts, []);
});

test("a route configuration that takes a domain hides who had it, and gives it back", () => {
  const hosts = new DiscoveredHosts("r");
  hosts.apply([sketch("r/a", host("a", "a.example"))], []);
  hosts.setStatic([host("static", "a.example")]);
  assert.deepEqual(hosts.hosts, []);
  hosts.setStatic([]);
  assert.deepEqual(names(hosts.hosts), ["a"]);
});

const anyHost = fc.record({
  resource: fc.constantFrom("r/1", "r/2", "r/3", "r/4"),
  name: fc.constantFrom("a", "b", "c"),
  domains: fc.uniqueArray(fc.constantFrom("x", "y", "z", "s"), { minLength: 1, maxLength: 2 }),
});
const anyPush = fc.record({
  changed: fc.uniqueArray(anyHost, { selector: ({ resource }) => resource, maxLength: 4 }),
  removed: fc.uniqueArray(fc.constantFrom("r/1", "r/2", "r/3", "r/4"), { maxLength: 2 }),
});

test("workers that apply the changes have what main has, and no domain twice", () => {
  fc.assert(
    fc.property(fc.array(anyPush, { maxLength: 8 }), (pushes) => {
      const hosts = new DiscoveredHosts("r");
      hosts.setStatic([host("static", "s")]);
      const worker = new Map<string, VirtualHost>();
      for (const { changed, removed } of pushes) {
        const sent = changed.map((each) => each.resource);
        const change = hosts.apply(
          changed.map(({ resource, name, domains }) => sketch(resource, host(name, ...domains))),
          removed.filter((name) => !sent.includes(name)),
        );
        for (const name of change.removed) worker.delete(name);
        for (const each of change.changed) worker.set(each.name, each);
        // Of two resources that call their host alike the latest counts, and may leave the other's domains unused.
        const domains = [...worker.values()].flatMap((each) => each.domains);
        assert.equal(new Set(domains).size, domains.length);
        assert(!domains.includes("s"));
        assert.deepEqual(names(hosts.hosts).toSorted(), [...worker.keys()].toSorted());
      }
    }),
    { numRuns: 1_000 },
  );
});
