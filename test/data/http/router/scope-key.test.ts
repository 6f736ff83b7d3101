import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileScopeKey, extractFragment } from "../../../../src/data/http/router/scope-key.ts";
import { type FragmentBuilder, scopeKeyText } from "../../../../src/shared/config/scoped-routes.ts";

/** As the proto describes it, piece by piece. */
function naiveFragment(value: string, builder: FragmentBuilder): string | undefined {
  const { elementSeparator, extract } = builder;
  const elements = elementSeparator === "" ? [value] : value.split(elementSeparator);
  if (extract.kind === "index") return elements[extract.index];
  const pairs = elements.map((element) => {
    const [key = "", ...rest] = element.split(extract.separator);
    return { key, value: rest.join(extract.separator) };
  });
  return pairs.find(({ key }) => key === extract.key)?.value;
}

const text = fc.string({ unit: fc.constantFrom("a", "b", "=", ";", ","), maxLength: 12 });
const separator = fc.constantFrom("=", ";", ",", "==", ";;", "a");
const anyBuilder: fc.Arbitrary<FragmentBuilder> = fc.record({
  header: fc.constant("x"),
  elementSeparator: fc.oneof(fc.constant(""), separator),
  extract: fc.oneof(
    fc.record({ kind: fc.constant("index" as const), index: fc.nat(4) }),
    fc.record({ kind: fc.constant("element" as const), separator, key: text }),
  ),
});

test("extractFragment() takes what splitting takes", () => {
  fc.assert(
    fc.property(text, anyBuilder, (value, builder) => {
      assert.equal(extractFragment(value, builder), naiveFragment(value, builder));
    }),
    { numRuns: 2_000 },
  );
});

test("different lists of fragments have different key texts", () => {
  const lists = fc.array(fc.string({ unit: fc.constantFrom("1", "2", ":", "a"), maxLength: 4 }));
  fc.assert(
    fc.property(lists, lists, (a, b) => {
      const areEqual = a.length === b.length && a.every((each, index) => each === b[index]);
      assert.equal(scopeKeyText(a) === scopeKeyText(b), areEqual);
    }),
    { numRuns: 2_000 },
  );
});

test("a key is made of pseudo-headers too, and `host` is the authority", () => {
  const whole = { kind: "index", index: 0 } as const;
  const keyOf = compileScopeKey({
    name: "s",
    keyBuilder: [
      { header: ":method", elementSeparator: "", extract: whole },
      { header: "host", elementSeparator: ":", extract: whole },
    ],
    scopes: { kind: "srds" },
  });
  const pseudo: Record<string, string> = { ":method": "GET", ":authority": "a.example:80" };
  const request = { buffer: Buffer.alloc(0), pseudoHeader: (name: string) => pseudo[name] };
  assert.equal(keyOf(request), scopeKeyText(["GET", "a.example"]));
  delete pseudo[":authority"];
  assert.equal(keyOf(request), undefined);
});
