import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FieldMap, ResponseFieldMap } from "../../../../src/data/http/filters/field-map.ts";
import { ExtraFields } from "../../../../src/data/http/headers/extra-fields.ts";

test("fields are read, replaced, added and deleted whatever their case", () => {
  const fields = new FieldMap(new ExtraFields());
  fields.set("X-A", "1");
  fields.append("x-a", "2");
  assert.equal(fields.get("x-A"), "1,2");
  fields.set("x-a", "3");
  assert.deepEqual([...fields], [["x-a", "3"]]);
  fields.delete("X-a");
  assert(!fields.has("x-a"));
});

test("what frames a message is not seen, and not written", () => {
  const extra = new ExtraFields();
  extra.add("content-length", "3");
  const fields = new FieldMap(extra);
  assert.deepEqual([...fields], []);
  for (const name of [
    "Host",
    "content-length",
    "transfer-encoding",
    "connection",
    ":path",
    "a b",
    "",
  ])
    assert.throws(() => fields.set(name, "x"), TypeError, name);
  fields.delete("content-length");
  assert(extra.has("content-length"));
});

test("no value breaks the head that it is written into", () => {
  const property = fc.property(fc.string({ unit: "binary" }), (value) => {
    const fields = new FieldMap(new ExtraFields());
    try {
      fields.set("x", value);
    } catch (error) {
      assert(error instanceof TypeError);
      return;
    }
    assert(
      !/[\r\n\0]/.test(value) &&
        value.trim() === value &&
        Buffer.from(value, "latin1").toString("latin1") === value,
    );
  });
  fc.assert(property);
});

test("a status says whether there is a body, so a filter may not say those", () => {
  const fields = new ResponseFieldMap(new ExtraFields(), { status: 200 });
  fields.status = 503;
  assert.equal(fields.status, 503);
  for (const status of [100, 101, 204, 304, 600, 0, 200.5, Number.NaN])
    assert.throws(() => (fields.status = status), RangeError);
});
