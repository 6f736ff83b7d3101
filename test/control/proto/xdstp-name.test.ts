import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  canonicalName,
  isInCollection,
  readXdstpName,
  writeXdstpName,
} from "../../../src/control/proto/xdstp-name.ts";

const type = "envoy.config.listener.v3.Listener";

/** Asked of Envoy 1.40: what it subscribes to when its bootstrap says the first. */
const spellings: readonly (readonly [string, string])[] = [
  [`xdstp://a/${type}/foo/*?k=v&b=1`, `xdstp://a/${type}/foo/*?b=1&k=v`],
  [`xdstp://a/${type}/foo/*?a=1&a=2&b`, `xdstp://a/${type}/foo/*?a=1&b=`],
  [`xdstp:///${type}/foo/*`, `xdstp:///${type}/foo/*`],
  [`xdstp://a/${type}`, `xdstp://a/${type}`],
  [
    `xdstp://a/${type}/f%6fo/b a%20r/*?a%3db=%31&c=d%26`,
    `xdstp://a/${type}/foo/b a r/*?a%3Db=1&c=d%26`,
  ],
  [`xdstp://a/${type}/f%zzo/*`, `xdstp://a/${type}/f%25zzo/*`],
  [
    `xdstp://auth%41:80/${type}/f~o/\u00e9[x]{y}|'"<>\\^\`:@!$,;/*?~=\u00e9&z=[]%23&q=a:b/c?d&empty=`,
    `xdstp://authA:80/${type}/f%7Eo/%C3%A9%5Bx%5D{y}|'"<>\\^\`:@!$,;/*?%7E=%C3%A9&empty=&q=a:b/c?d&z=%5B%5D%23`,
  ],
];

test("a name has one spelling, Envoy's", () => {
  for (const [name, canonical] of spellings) assert.equal(canonicalName(name), canonical);
  assert.equal(canonicalName("plain?b=1&a=2"), "plain?b=1&a=2");
});

test("a name without a type is told in Envoy's words, and is then a name as it stands", () => {
  for (const name of ["xdstp://authA", "xdstp://authA/", "xdstp:authA", "xdstp:"]) {
    assert.deepEqual(readXdstpName(name), { ok: false, error: "Resource type missing from /" });
    assert.equal(canonicalName(name), name);
  }
  assert.deepEqual(readXdstpName("hello"), {
    ok: false,
    error: "hello does not have an xdstp: scheme",
  });
});

test("whatever is written is read again, and the canonical form is its own", () => {
  const word = fc.string({ unit: "grapheme", maxLength: 8 });
  const name = fc.record({
    authority: word,
    type: word.filter((text) => text !== "" && !text.includes("/")),
    id: word.filter((text) => text !== ""),
    params: fc
      .array(
        fc.tuple(
          word.filter((key) => key !== ""),
          word,
        ),
      )
      .map((pairs) => new Map(pairs)),
  });
  fc.assert(
    fc.property(name, (value) => {
      const written = writeXdstpName(value);
      const read = readXdstpName(written);
      assert(read.ok);
      assert.deepEqual(
        { ...read.value, params: Object.fromEntries(read.value.params) },
        {
          ...value,
          params: Object.fromEntries(value.params),
        },
      );
      assert.equal(canonicalName(written), written);
    }),
  );
});

test("no text breaks the reader", () => {
  fc.assert(fc.property(fc.string(), (text) => typeof canonicalName(`xdstp:${text}`) === "string"));
});

test("a resource is in the collection of its folder, with its own parameters", () => {
  const folder = `xdstp://a/${type}/foo`;
  const isIn = (name: string, collection: string) =>
    isInCollection(canonicalName(name), canonicalName(collection));
  assert(isIn(`${folder}/l1`, `${folder}/*`));
  assert(isIn(`${folder}/l1?b=2&a=1`, `${folder}/*?a=1&b=2`));
  assert(isIn(`xdstp://a/${type}/l1`, `xdstp://a/${type}/*`));
  for (const name of [`${folder}/bar/l1`, `${folder}/l1?a=1`, `${folder}/`, "foo/l1", ""])
    assert(!isIn(name, `${folder}/*`), name);
  for (const name of [`${folder}/l1`, `${folder}/l1?a=1&c=2`, `xdstp://b/${type}/foo/l1?a=1`])
    assert(!isIn(name, `${folder}/*?a=1`), name);
});
