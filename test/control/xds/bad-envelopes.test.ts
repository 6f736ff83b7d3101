import assert from "node:assert/strict";
import { test } from "node:test";
import { readDeltaResponse } from "../../../src/control/xds/delta-response.ts";
import { readDiscoveryResponse } from "../../../src/control/xds/discovery-response.ts";
import { sotw } from "../../../src/control/xds/sotw-conversation.ts";
import { TypeSubscriptions } from "../../../src/control/xds/type-subscriptions.ts";
import { noXdsStats } from "../../../src/control/xds/xds-stats.ts";
import { writeDiscoveryResponse } from "../../../src/xds-server/discovery-wire.ts";
import { textResource, textType } from "../../support/text-resources.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const type = textType("T", "type.googleapis.com/test.Text", true);
const { typeUrl } = type;
const readers = { readDiscoveryResponse, readDeltaResponse };

/** Groups in groups, never closed: a reader that recurses would overflow its stack. */
const groupBomb = new Uint8Array(1 << 20).fill(0x0b);
/** Field 2, length-delimited, of 1 GiB, of which nothing comes. */
const hugeLength = new Uint8Array([0x12, 0x80, 0x80, 0x80, 0x80, 0x04]);
/** The same inside a resource that is there. */
const hugeInside = new Uint8Array([0x12, 0x06, ...hugeLength]);
const badVersion = new Uint8Array([0x0a, 0x02, 0xff, 0xfe]);

for (const [name, read] of Object.entries(readers))
  for (const [what, bytes] of Object.entries({ groupBomb, hugeLength, badVersion }))
    test(`${name}() gives a reason against ${what}`, () => {
      const result = read(bytes);
      assert(!result.ok);
      assert(result.error.length > 0);
    });

test("a length beyond its wrapper is one bad resource, not a bad message", () => {
  const read = readDeltaResponse(hugeInside);
  assert(!read.ok || read.value.resources[0]?.name === undefined);
});

test("a name that is not UTF-8 is refused with the reason, beside a good one", async () => {
  using subscriptions = new TypeSubscriptions(type, {
    clock: new VirtualClock(),
    stats: noXdsStats,
    dialect: sotw,
    onInterest: () => {},
  });
  const changed: string[] = [];
  subscriptions.observeBatches(
    { next: (batch) => void changed.push(...batch.changed.map(({ name }) => name)) },
    {},
  );
  const bad = textResource("ab", "text");
  bad.set([0xff, 0xfe], 2);
  const message = writeDiscoveryResponse({
    version: "1",
    nonce: "1",
    typeUrl,
    resources: [
      { typeUrl, bytes: bad },
      { typeUrl, bytes: textResource("good", "text") },
    ],
  });
  const read = readDiscoveryResponse(message);
  assert(read.ok);
  const reply = await subscriptions.answer(read.value);
  assert(reply.kind === "nack");
  assert.equal(reply.detail, "resource cannot be read: a string is not valid UTF-8");
  assert.deepEqual(changed, ["good"]);
});
