import assert from "node:assert/strict";
import { test } from "node:test";
import { NativeObject } from "../../../../src/shared/io/tls/native-object.ts";

const bug = { name: "RangeError", message: /^bug: / };

test("an object is freed once, with its own pointer, and not used after", () => {
  const freed: number[] = [];
  const object = new NativeObject(4096, (pointer) => freed.push(pointer));
  assert.equal(object.pointer, 4096);
  assert.equal(object.isFreed, false);
  object.free();
  assert.equal(object.isFreed, true);
  assert.throws(() => object.free(), bug);
  assert.throws(() => object.pointer, bug);
  assert.deepEqual(freed, [4096]);
});

test("it counts as freed although freeing threw: twice would be worse than never", () => {
  const object = new NativeObject(4096, () => {
    throw new Error("thrown by the test");
  });
  assert.throws(() => object.free(), /thrown by the test/);
  assert.throws(() => object.free(), bug);
});

test("what is no address is none", () => {
  for (const pointer of [0, -1, 0.5, Number.NaN, 2 ** 53])
    assert.throws(() => new NativeObject(pointer, () => {}), bug);
});
