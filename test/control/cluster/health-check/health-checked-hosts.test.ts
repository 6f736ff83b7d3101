import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HealthCheckedHosts } from "../../../../src/control/cluster/health-check/health-checked-hosts.ts";
import type { ClusterHealthConfig } from "../../../../src/control/config/decoded-cluster.ts";
import { formatAddress } from "../../../../src/shared/common/address.ts";
import type { EndpointCheck, HostConfig } from "../../../../src/shared/config/cluster-config.ts";
import { hostConfig } from "../../../support/cluster-fixture.ts";
import { FakeProbers, passed, refused, unreachable } from "../../../support/fake-probers.ts";
import { FakeStats } from "../../../support/fake-stats.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { VirtualClock } from "../../../support/virtual-clock.ts";
import { httpCheck } from "../../../support/health-checks.ts";

class Harness implements Disposable {
  readonly clock = new VirtualClock();
  readonly stats = new FakeStats();
  readonly probers = new FakeProbers();
  /** What the cluster was given, oldest first. */
  readonly given: (readonly HostConfig[])[] = [];
  readonly hosts: HealthCheckedHosts;
  #name: (hosts: readonly HostConfig[]) => void = () => {};

  constructor(health: Partial<ClusterHealthConfig> = {}) {
    this.hosts = new HealthCheckedHosts({
      clusterName: "c",
      statPrefix: "cluster.c.",
      health: {
        check: httpCheck(),
        ignoreHealthOnHostRemoval: false,
        ignoreNewHostsUntilFirstCheck: false,
        ...health,
      },
      createSource: (onHosts) => {
        this.#name = onHosts;
        return {
          awaiting: ["eds c"],
          assignment: undefined,
          start: () => {},
          [Symbol.dispose]: () => {},
        };
      },
      createProber: this.probers.create,
      security: { of: () => undefined, [Symbol.dispose]: () => {} },
      hasTraffic: () => true,
      onHosts: (hosts) => void this.given.push(hosts),
      clock: this.clock,
      random: seededRandom(1),
      stats: this.stats,
      log: silentLogger,
    });
  }

  /** The source names these hosts. */
  name(...hosts: readonly HostConfig[]): void {
    this.#name(hosts);
  }

  answer(port: number, outcome = passed): void {
    this.probers.answer(`127.0.0.1:${port}`, outcome);
  }

  /** Flags by port, as given last. */
  get flags(): Readonly<Record<string, string>> {
    const hosts = this.given.at(-1) ?? [];
    return Object.fromEntries(
      hosts.map(({ address, flags }) => [formatAddress(address).split(":")[1], flags.join()]),
    );
  }

  [Symbol.dispose](): void {
    this.hosts[Symbol.dispose]();
    assert.deepEqual([this.clock.pendingCount, this.probers.targets.size], [0, 0]);
    assert.deepEqual(this.stats.prefixes, []);
  }
}

const eds = (port: number, flag: HostConfig["flags"][number], health: HostConfig["health"]) =>
  hostConfig(port, { flags: [flag], health });

describe("the first round", () => {
  test("hosts are given when each was checked once, good or bad", async () => {
    using harness = new Harness();
    assert.deepEqual(harness.hosts.awaiting, ["eds c"]);
    harness.name(hostConfig(1), hostConfig(2), hostConfig(3));
    assert.deepEqual(harness.hosts.awaiting, ["health checks of 3 hosts"]);
    harness.answer(1);
    harness.answer(2, refused);
    assert.deepEqual(harness.hosts.awaiting, ["health checks of 1 hosts"]);
    assert.equal(harness.given.length, 0);
    await harness.clock.advance(500);
    assert.deepEqual(harness.flags, {
      1: "",
      2: "failed_active_hc",
      3: "failed_active_hc,active_hc_timeout",
    });
    assert.equal(harness.given[0]?.[0]?.health, "healthy");
    assert.deepEqual(harness.hosts.awaiting, []);
    assert.equal(harness.stats.value("cluster.c.health_check.healthy"), 1);
    assert.equal(harness.stats.value("cluster.c.health_check.network_failure"), 1);
  });

  test("a host that leaves before its check is not waited for; without hosts there is nothing to wait for", () => {
    using harness = new Harness();
    harness.name(hostConfig(1), hostConfig(2));
    harness.answer(1);
    harness.name(hostConfig(1));
    assert.deepEqual(harness.flags, { 1: "" });
    using empty = new Harness();
    empty.name();
    assert.deepEqual(empty.given, [[]]);
  });

  test("a host that is not to be checked counts as its endpoint says", () => {
    using harness = new Harness();
    const check: EndpointCheck = { address: undefined, port: 0, hostname: "", isDisabled: true };
    harness.name(hostConfig(1, { check }));
    assert.deepEqual(harness.flags, { 1: "" });
    assert.deepEqual(harness.probers.checking, []);
  });
});

describe("afterwards", () => {
  test("checks go on at their intervals, and changes are given on", async () => {
    using harness = new Harness();
    harness.name(hostConfig(1));
    harness.answer(1);
    await harness.clock.advance(999);
    assert.deepEqual(harness.probers.checking, []);
    await harness.clock.advance(1);
    harness.answer(1);
    assert.equal(harness.given.length, 1, "nothing has changed");
    await harness.clock.advance(1_000);
    harness.answer(1, unreachable);
    assert.equal(harness.given.length, 1, "the threshold holds it back");
    await harness.clock.advance(1_000);
    harness.answer(1, unreachable);
    assert.deepEqual(harness.flags, { 1: "failed_active_hc" });
    assert.equal(harness.stats.value("cluster.c.health_check.healthy"), 0);
    for (let i = 0; i < 2; i++) {
      await harness.clock.advance(1_000);
      harness.answer(1);
    }
    assert.deepEqual(harness.flags, { 1: "" });
    assert.equal(harness.stats.value("cluster.c.health_check.attempt"), 6);
    assert.equal(harness.stats.value("cluster.c.health_check.success"), 4);
    assert.equal(harness.stats.value("cluster.c.health_check.failure"), 2);
  });

  test("the endpoint's own status counts beside the checks", () => {
    using harness = new Harness();
    harness.name(
      eds(1, "failed_eds_health", "unhealthy"),
      eds(2, "degraded_eds_health", "degraded"),
      eds(3, "eds_status_draining", "unhealthy"),
    );
    for (const port of [1, 2, 3]) harness.answer(port);
    const hosts = harness.given.at(-1) ?? [];
    assert.deepEqual(
      hosts.map(({ health }) => health),
      ["unhealthy", "degraded", "unhealthy"],
    );
    assert.deepEqual(harness.flags, {
      1: "failed_eds_health",
      2: "degraded_eds_health",
      3: "eds_status_draining",
    });
  });

  test("a host that its source forgets stays while its checks pass", async () => {
    using harness = new Harness();
    harness.name(hostConfig(1), hostConfig(2), eds(3, "failed_eds_health", "unhealthy"));
    for (const port of [1, 2, 3]) harness.answer(port);
    harness.name(hostConfig(1));
    assert.deepEqual(harness.flags, { 1: "", 2: "pending_dynamic_removal" });
    await harness.clock.advance(1_000);
    harness.answer(1);
    harness.answer(2, refused);
    assert.deepEqual(harness.flags, { 1: "" });
    assert.deepEqual([...harness.probers.targets.keys()], ["127.0.0.1:1"]);
  });

  test("a host that comes back is a member as before", async () => {
    using harness = new Harness();
    harness.name(hostConfig(1), hostConfig(2));
    harness.answer(1);
    harness.answer(2);
    harness.name(hostConfig(1));
    harness.name(hostConfig(2), hostConfig(1));
    assert.deepEqual(harness.flags, { 1: "", 2: "" });
    await harness.clock.advance(1_000);
    harness.answer(2, refused);
    assert.deepEqual(harness.flags, { 1: "", 2: "failed_active_hc" });
  });

  test("with ignore_health_on_host_removal it goes at once", () => {
    using harness = new Harness({ ignoreHealthOnHostRemoval: true });
    harness.name(hostConfig(1), hostConfig(2));
    harness.answer(1);
    harness.answer(2);
    harness.name(hostConfig(1));
    assert.deepEqual(harness.flags, { 1: "" });
  });

  test("new hosts begin as failed, and are left out of the count if asked", () => {
    using harness = new Harness({ ignoreNewHostsUntilFirstCheck: true });
    harness.name(hostConfig(1));
    harness.answer(1);
    harness.name(hostConfig(1), hostConfig(2));
    assert.deepEqual(harness.flags, { 1: "", 2: "failed_active_hc,pending_active_hc" });
    harness.answer(2, refused);
    assert.deepEqual(harness.flags, { 1: "", 2: "failed_active_hc" });
  });

  test("checks go where the endpoint or the check says", () => {
    const check: EndpointCheck = { address: undefined, port: 9, hostname: "h", isDisabled: false };
    using harness = new Harness();
    harness.name(hostConfig(1, { check }));
    const [target] = harness.probers.targets.values();
    assert.deepEqual(target, {
      address: { kind: "ip", ip: "127.0.0.1", port: 9 },
      clusterName: "c",
      hostname: "h",
      security: undefined,
    });
    using other = new Harness({ check: { ...httpCheck(), altPort: 8 } });
    other.name(hostConfig(1));
    assert.deepEqual([...other.probers.targets.keys()], ["127.0.0.1:8"]);
  });
});
