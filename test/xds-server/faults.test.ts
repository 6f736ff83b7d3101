import assert from "node:assert/strict";
import { test } from "node:test";
import { readDeltaResponse } from "../../src/control/xds/delta-response.ts";
import { readDiscoveryResponse } from "../../src/control/xds/discovery-response.ts";
import { afflict, type Outgoing } from "../../src/xds-server/faults/afflict.ts";
import { FaultBook } from "../../src/xds-server/faults/fault-book.ts";
import { type Fault, faultKinds, readFaults } from "../../src/xds-server/faults/fault.ts";
import type { PlannedResponse } from "../../src/xds-server/planned-response.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { typeUrlOf } from "../support/session-stage.ts";
import { textResource } from "../support/text-resources.ts";

const lds = typeUrlOf("LDS");

function planned(nonce: string, isDelta = false): PlannedResponse {
  const resources = ["first", "second"].map((name) => ({
    name,
    typeUrl: lds,
    bytes: textResource(name, "x"),
    version: "v",
  }));
  const wire = { isDelta, isWrapperKnown: false };
  return { ...wire, typeUrl: lds, nonce, version: "v", resources, removedNames: [] };
}

/** What goes out for responses 1, 2, … each under these faults. */
function afflicted(count: number, faults: readonly Fault[], isDelta = false): Outgoing[] {
  let fresh = 100;
  const memory = {
    lastNonce: "",
    freshNonce: () => `${++fresh}`,
    again: (one: PlannedResponse) => ({ ...one, nonce: `${++fresh}` }),
    asked: (typeUrl: string) => typeUrl === lds,
  };
  const book = new FaultBook();
  book.set(faults);
  const out: Outgoing[] = [];
  let held: readonly Outgoing[] = [];
  for (let n = 1; n <= count; n++) {
    const context = { memory, random: seededRandom(n) };
    const result = afflict(planned(`${n}`, isDelta), book.take(lds, "n"), held, context);
    out.push(...result.outgoing);
    held = result.held;
  }
  return out;
}

/** The nonces that arrive, and acts by their kind; `?` for what cannot be read. */
function said(out: readonly Outgoing[]): string {
  return out
    .map((one) => {
      if (one.kind !== "message") return one.kind;
      const read = readDiscoveryResponse(one.bytes);
      return read.ok ? read.value.nonce : "?";
    })
    .join(" ");
}

test("what becomes of a response on its way", () => {
  const table: readonly (readonly [Fault, string])[] = [
    [{ kind: "drop", times: 1 }, "2"],
    [{ kind: "reorder", times: 1 }, "2 1"],
    [{ kind: "duplicate", times: 1 }, "1 1 2"],
    [{ kind: "repeat", times: 1 }, "1 101 2"],
    [{ kind: "flood", times: 1, count: 3 }, "1 101 102 103 2"],
    [{ kind: "wrong_nonce", times: 1 }, "101 2"],
    [{ kind: "reused_nonce" }, " 1"],
    [{ kind: "unasked_type", times: 1 }, "1 101 2"],
    [{ kind: "half_dead", times: 1 }, "dead 2"],
    [{ kind: "close", times: 1 }, "end 2"],
    [{ kind: "reset", times: 1 }, "reset 2"],
    [{ kind: "goaway", times: 1 }, "1 goaway 2"],
    [{ kind: "garbage", times: 1 }, "? 2"],
    [{ kind: "huge_length", times: 1 }, "? 2"],
    [{ kind: "truncate", bytes: 30 }, "? ?"],
    [{ kind: "slow" }, "1 2"],
  ];
  for (const [fault, wanted] of table)
    assert.equal(said(afflicted(2, [fault])), wanted, fault.kind);
});

test("what a response says that it should not", () => {
  const first = (kind: Fault["kind"]) => {
    const [out] = afflicted(1, [{ kind }]);
    assert(out?.kind === "message");
    const read = readDiscoveryResponse(out.bytes);
    assert(read.ok);
    return read.value;
  };
  assert.notEqual(first("wrong_type_url").typeUrl, lds);
  assert.notEqual(first("other_any").resources[0]?.typeUrl, lds);
  assert.equal(first("other_any").resources[1]?.typeUrl, lds);
  const names = first("duplicate_names").resources.map(({ name }) => name);
  assert.deepEqual(names, ["first", "first", "second"]);
  const length = (kind: Fault["kind"]) => first(kind).resources[0]?.bytes.length ?? 0;
  const whole = textResource("first", "x").length;
  for (const kind of ["invalid_content", "broken_resource", "huge_resource", "misnamed"] as const)
    assert(length(kind) > whole, kind);
  assert.equal(length("deep_nesting"), whole + 200_000);
});

test("a name that is no UTF-8 is so wherever it stands", () => {
  for (const isDelta of [false, true]) {
    const [out] = afflicted(1, [{ kind: "non_utf8_name" }], isDelta);
    assert(out?.kind === "message");
    assert.equal(out.bytes.indexOf("first"), -1);
    assert(out.bytes.indexOf(Buffer.from([0xff, ...Buffer.from("irst")])) > 0);
    const read = isDelta ? readDeltaResponse(out.bytes) : readDiscoveryResponse(out.bytes);
    assert(!read.ok || read.value.resources[0]?.name === undefined);
  }
});

test("faults add up, in the order in which they are set", () => {
  const faults: readonly Fault[] = [
    { kind: "delay", delayMs: 20, times: 1 },
    { kind: "duplicate", times: 1 },
    { kind: "close", code: 8, message: "enough", times: 1 },
  ];
  assert.deepEqual(afflicted(1, faults), [{ kind: "end", code: 8, details: "enough" }]);
  const late = afflicted(1, faults.slice(0, 2));
  assert.deepEqual(
    late.map((one) => (one.kind === "message" ? one.delayMs : undefined)),
    [20, 20],
  );
});

test("a cut is the same for the same seed", () => {
  const cut = (): string => JSON.stringify(afflicted(5, [{ kind: "truncate" }]));
  assert.equal(cut(), cut());
});

test("a fault meets its type and its node, as often as it says", () => {
  const book = new FaultBook();
  book.set([
    { kind: "drop", typeUrl: lds, times: 2 },
    { kind: "delay", node: "other", delayMs: 1 },
    { kind: "slow", bytesPerS: 9, times: 1 },
  ]);
  const kinds = (type: string, node: string): string =>
    book
      .take(typeUrlOf(type), node)
      .map(({ kind }) => kind)
      .join();
  assert.equal(kinds("RDS", "n"), "");
  assert.equal(kinds("LDS", "n"), "drop");
  assert.equal(kinds("LDS", "other"), "drop,delay");
  assert.equal(kinds("LDS", "n"), "");
  assert.deepEqual([book.takeRate(), book.takeRate()], [9, undefined]);
  assert.deepEqual(
    book.list().map(({ applied, left }) => [applied, left]),
    [
      [2, 0],
      [1, undefined],
      [1, 0],
    ],
  );
  book.clear();
  assert.deepEqual(book.list(), []);
});

test("readFaults() tells every mistake with its place", () => {
  const read = readFaults([
    { kind: "drop", type: "listeners", times: 2 },
    { kind: "zap" },
    { times: -1, type: "nothing", more: "x" },
    { kind: "delay" },
    "drop",
  ]);
  assert(!read.ok);
  const text = read.errors.join("\n");
  for (const part of [
    /^\[1\]\.kind: unknown kind 'zap'; there are drop,/m,
    /^\[2\]\.times: must be a whole number/m,
    /^\[2\]\.type: unknown type 'nothing'/m,
    /^\[2\]\.more: no such field/m,
    /^\[2\]\.kind: is required/m,
    /^\[3\]\.delay_ms: delay needs it/m,
    /^\[4\]: a fault is a mapping/m,
  ])
    assert.match(text, part);
  assert(!readFaults({}).ok);
  const [good] = (() => {
    const all = readFaults([{ kind: "drop", type: "listeners" }]);
    return all.ok ? all.value : [];
  })();
  assert.deepEqual(good, { kind: "drop", typeUrl: lds });
});

for (const kind of Object.keys(faultKinds) as Fault["kind"][])
  test(`${kind} leaves something that can be sent`, () => {
    const fault = { kind, count: 2, delayMs: 1 };
    for (const one of [...afflicted(3, [fault]), ...afflicted(3, [fault], true)])
      if (one.kind === "message") assert(Buffer.isBuffer(one.bytes));
  });
