import assert from "node:assert/strict";
import { test } from "node:test";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import type { ResourceBatch } from "../../../src/control/xds/resource-batch.ts";
import { RestSource } from "../../../src/control/xds/rest-source.ts";
import type { PollAnswer, PollTransport } from "../../../src/control/xds/rest-transport.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const protos = createProtoRegistry();
const typeUrl = "type.googleapis.com/envoy.config.listener.v3.Listener";
const lds = {
  typeUrl,
  shortName: "LDS",
  isFullState: true,
  decode: (bytes: Uint8Array) => ({ ok: true as const, value: bytes.length, warnings: [] }),
};

/** The far end of the polls is the test. */
class FakePolls implements PollTransport {
  readonly server = "xds fake";
  readonly bodies: Record<string, unknown>[] = [];
  answer: PollAnswer = { kind: "unchanged" };

  poll(body: string): Promise<PollAnswer> {
    this.bodies.push(JSON.parse(body) as Record<string, unknown>);
    return Promise.resolve(this.answer);
  }

  [Symbol.dispose](): void {}
}

const body = (version: string, ...names: readonly string[]): PollAnswer => ({
  kind: "body",
  text: JSON.stringify({
    version_info: version,
    resources: names.map((name) => ({ "@type": typeUrl, name })),
  }),
});

function start() {
  const clock = new VirtualClock();
  const transport = new FakePolls();
  const warnings: string[] = [];
  const source = new RestSource({
    transport,
    refreshDelayMs: 1_000,
    clock,
    random: { ...seededRandom(1), next: () => 0.5 },
    protos,
    stats: noXdsStats,
    logger: { ...silentLogger, warning: (line) => void warnings.push(line) },
    node: new Uint8Array([10, 1, 110]),
  });
  const batches: ResourceBatch<number>[] = [];
  return {
    clock,
    transport,
    source,
    warnings,
    batches,
    observe: () => source.changes$(lds).subscribe((batch) => void batches.push(batch)),
    [Symbol.dispose]: () => {
      source[Symbol.dispose]();
      assert.equal(clock.pendingCount, 0, "no timer is left");
    },
  };
}

test("polls by the refresh delay with its jitter, and says the accepted version", async () => {
  using rest = start();
  rest.transport.answer = body("1", "a");
  rest.observe();
  await rest.clock.advance(0);
  assert.equal(rest.batches.length, 1);
  rest.transport.answer = { kind: "unchanged" };
  await rest.clock.advance(1_499);
  assert.equal(rest.transport.bodies.length, 1);
  await rest.clock.advance(1);
  assert.equal(rest.transport.bodies.length, 2);
  assert.deepEqual(rest.transport.bodies[1], {
    version_info: "1",
    node: { id: "n" },
    type_url: typeUrl,
  });
  assert.equal(rest.batches.length, 1);
});

test("a failed or unreadable poll is told of, changes nothing, and the next one follows", async () => {
  using rest = start();
  rest.transport.answer = body("1", "a");
  rest.observe();
  await rest.clock.advance(0);
  rest.transport.answer = { kind: "failed", reason: "status 500" };
  await rest.clock.advance(1_500);
  rest.transport.answer = { kind: "body", text: "{" };
  await rest.clock.advance(1_500);
  assert.match(rest.warnings.join("\n"), /status 500[^]*Unable to/);
  rest.transport.answer = body("2", "a", "b");
  await rest.clock.advance(1_500);
  assert.deepEqual(
    rest.batches.map(({ changed }) => changed.map(({ name }) => name)),
    [["a"], ["b"]],
  );
});

test("without an answer the wildcard subscription times out", async () => {
  using rest = start();
  rest.transport.answer = { kind: "failed", reason: "refused" };
  const answered = rest.source.whenAnswered(lds);
  rest.observe();
  await rest.clock.advance(15_000);
  assert.equal(await answered, "timeout");
});

test("a name that is asked for later comes, although the server has no newer version", async () => {
  using rest = start();
  const rds = { ...lds, isFullState: false, shortName: "RDS" };
  const states: string[] = [];
  const observe = (name: string) =>
    rest.source.resource$(rds, name).subscribe(({ kind }) => void states.push(`${name} ${kind}`));
  rest.transport.answer = body("1", "a");
  observe("a");
  await rest.clock.advance(0);
  rest.transport.answer = body("1", "a", "b");
  observe("b");
  await rest.clock.advance(0);
  const versions = rest.transport.bodies.map(({ version_info: version = "" }) => version);
  assert.deepEqual(versions, ["", ""], "a server answers 304 to the version that it has");
  assert.deepEqual(states, ["a requested", "a present", "b requested", "b present"]);
  rest.transport.answer = { kind: "unchanged" };
  await rest.clock.advance(2_000);
  assert.equal(rest.transport.bodies[2]?.["version_info"], "1");
});
