import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalizePath } from "../../../../src/data/http/request/normalize-path.ts";

const both = { normalizePath: true, mergeSlashes: true };
const normal = (path: string): string | undefined =>
  normalizePath(path, { normalizePath: true, mergeSlashes: false });

test("normalizePath() gives one spelling to one path", () => {
  const cases: Readonly<Record<string, string | undefined>> = {
    "/a/./b": "/a/b",
    "/a/../b": "/b",
    "/a/..": "/",
    "/../../a": "/a",
    "/%2e%2e/a": "/a",
    "/a%2Fb": "/a%2Fb",
    "/%41": "/A",
    "/a\\b": "/a/b",
    "/a//b": "/a//b",
    "/.hidden": "/.hidden",
    "/a%": undefined,
    "/a%0": undefined,
    "/a%00b": undefined,
  };
  for (const [path, expected] of Object.entries(cases)) assert.equal(normal(path), expected, path);
  assert.equal(normalizePath("//a///b", both), "/a/b");
});

test("normalizePath() never leaves a dot segment, and changes nothing twice", () => {
  const part = fc.constantFrom("a", ".", "..", "%2e", "%2E.", "", "b\\..", "%41");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const path = normal(`/${parts.join("/")}`) ?? "/";
      assert.equal(
        path.split("/").some((segment) => segment === "." || segment === ".."),
        false,
      );
      assert.equal(normal(path), path);
    }),
  );
});
