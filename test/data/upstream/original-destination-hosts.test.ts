import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress } from "../../../src/shared/common/address.ts";
import type { ClusterDiscovery } from "../../../src/shared/config/cluster-config.ts";
import type { TimerSlot } from "../../../src/shared/io/timer-wheel.ts";
import type { HostRequest } from "../../../src/data/upstream/cluster-table.ts";
import { parseAddressAndPort } from "../../../src/data/upstream/named-address.ts";
import {
  hostsMax,
  OriginalDestinationHosts,
} from "../../../src/data/upstream/original-destination-hosts.ts";
import { WorkerClusterTable } from "../../../src/data/upstream/worker-cluster-table.ts";
import { clusterConfig, clusterEnvironment, setCluster } from "../../support/cluster-fixture.ts";

const discovery: Extract<ClusterDiscovery, { kind: "originalDst" }> = {
  kind: "originalDst",
  cleanupIntervalMs: 5_000,
  headerName: undefined,
  portOverride: undefined,
};

function stage(overrides: Partial<typeof discovery> = {}) {
  const table = new WorkerClusterTable(clusterEnvironment());
  table.set(setCluster(clusterConfig(), []));
  const cluster = table.get("c");
  assert(cluster);
  const counts = { invalid: 0, full: 0, size: 0 };
  const armed: (readonly [TimerSlot, number])[] = [];
  const hosts = new OriginalDestinationHosts({
    cluster,
    discovery: { ...discovery, ...overrides },
    timers: {
      arm: (timer, delayMs) => void armed.push([timer, delayMs]),
      cancel: () => void armed.splice(0),
    },
    onInvalid: () => void counts.invalid++,
    onFull: () => void counts.full++,
    onSize: (count) => (counts.size = count),
  });
  const sweep = (): void => {
    for (const [timer] of armed.splice(0)) timer.target.onTimer();
  };
  const addressOf = (request?: HostRequest): string | undefined => {
    const host = hosts.choose(request);
    return host && formatAddress(host.config.address);
  };
  return { hosts, counts, armed, sweep, addressOf };
}

const to = (text: string, namedHost?: string): HostRequest => ({
  originalDestination: parseAddressAndPort(text),
  namedHost,
});

test("a host is made once, and is named after its cluster and address", () => {
  const { hosts, counts, armed } = stage();
  const host = hosts.choose(to("192.0.2.1:80"));
  assert.equal(hosts.choose(to("192.0.2.1:80")), host);
  assert.equal(host?.config.hostname, "c192.0.2.1:80");
  assert.equal(counts.size, 1);
  assert.deepEqual(
    armed.map(([, delayMs]) => delayMs),
    [5_000],
  );
});

test("who does not know where to gets none", () => {
  const { hosts } = stage();
  assert.equal(hosts.choose(undefined), undefined);
  assert.equal(hosts.choose({ originalDestination: undefined, namedHost: undefined }), undefined);
  const pipe = { kind: "pipe", path: "/tmp/x", mode: 0 } as const;
  assert.equal(hosts.choose({ originalDestination: pipe, namedHost: undefined }), undefined);
});

test("the header goes before the address; what is none is counted, and the address holds", () => {
  const { counts, addressOf } = stage({ headerName: "x-to" });
  assert.equal(addressOf(to("192.0.2.1:80", "[2001:DB8::1]:81")), "[2001:db8::1]:81");
  assert.equal(counts.invalid, 0);
  assert.equal(addressOf(to("192.0.2.1:80", "a.test:80")), "192.0.2.1:80");
  assert.equal(counts.invalid, 1);
});

test("the port is replaced, whoever named it", () => {
  const { addressOf } = stage({ portOverride: 0 });
  assert.equal(addressOf(to("192.0.2.1:80")), "192.0.2.1:0");
  assert.equal(addressOf(to("192.0.2.1:80", "192.0.2.2:81")), "192.0.2.2:0");
});

test("hosts to which something is open survive a sweep, others leave", () => {
  const { hosts, counts, armed, sweep } = stage();
  const [busy, idle, pooled] = ["1", "2", "3"].map((last) =>
    hosts.choose(to(`192.0.2.${last}:80`)),
  );
  assert(busy && idle && pooled);
  busy.activeRequests = 1;
  pooled.http2Pool = { drain: () => {}, isEmpty: false, room: 0 };
  sweep();
  assert.deepEqual([busy.isMember, idle.isMember, pooled.isMember], [true, false, true]);
  assert.equal(counts.size, 2);
  assert.notEqual(hosts.choose(to("192.0.2.2:80")), idle);
  busy.activeRequests = 0;
  pooled.http2Pool = undefined;
  sweep();
  assert.equal(counts.size, 0);
  assert.deepEqual(armed, [], "no timer without hosts");
});

test("there are no more than so many", () => {
  const { hosts, counts, sweep } = stage();
  for (let i = 0; i < hostsMax; i++)
    assert(hosts.choose(to(`10.0.${i >> 8}.${i & 255}:80`)), String(i));
  assert.equal(hosts.choose(to("192.0.2.1:80")), undefined);
  assert.equal(counts.full, 1);
  assert(hosts.choose(to("10.0.0.1:80")), "those that are there are chosen");
  sweep();
  assert(hosts.choose(to("192.0.2.1:80")));
});

test("clear() lets all leave", () => {
  const { hosts, counts, armed } = stage();
  const host = hosts.choose(to("192.0.2.1:80"));
  hosts.clear();
  assert.deepEqual([host?.isMember, counts.size, armed.length], [false, 0, 0]);
});

test("parseAddressAndPort() reads what formatAddress() writes", () => {
  const port = fc.nat({ max: 65_535 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4(),
        fc.ipV6().map((ip) => `[${ip}]`),
      ),
      port,
      (ip, number) => {
        const address = parseAddressAndPort(`${ip}:${number}`);
        assert(address);
        assert.deepEqual(parseAddressAndPort(formatAddress(address)), address);
      },
    ),
  );
});

for (const text of [
  "",
  "a.test:80",
  "192.0.2.1",
  "192.0.2.1:",
  "192.0.2.1:65536",
  "1.2.3:80",
  "::1:80",
  "[::1]",
  "[1.2.3.4]:80",
  "192.0.2.1:80x",
  " 192.0.2.1:80",
  "[fe80::1%lo]:80",
])
  test(`parseAddressAndPort() refuses "${text}"`, () => {
    assert.equal(parseAddressAndPort(text), undefined);
  });
