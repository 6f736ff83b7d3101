import assert from "node:assert/strict";
import { test } from "node:test";
import { compileRegex } from "../../../../src/data/http/router/linear-regex.ts";
import { compileRewrite, redirectLocation } from "../../../../src/data/http/router/rewrite.ts";
import type { RedirectAction } from "../../../../src/shared/config/route-config.ts";
import { clusterAction, route } from "../../../support/http-fixture.ts";

test("prefix_rewrite replaces what was matched", () => {
  const rewrite = compileRewrite(clusterAction({ prefixRewrite: "/new" }), route("/old").match);
  assert.equal(rewrite?.("/old/a"), "/new/a");
});

test("regex_rewrite replaces every match, with RE2's groups", () => {
  const regexRewrite = { regex: { source: "/v(\\d)" }, substitution: "/version-\\1$" };
  const rewrite = compileRewrite(clusterAction({ regexRewrite }), route("/").match);
  assert.equal(rewrite?.("/v1/v2/x"), "/version-1$/version-2$/x");
});

test("regexes are linear: a pattern that backtracks for ever elsewhere is quick here", () => {
  const regex = compileRegex({ source: "(a*)*b" });
  assert.equal(regex.matches("a".repeat(50_000)), false);
});

test("regexes that V8 reads otherwise go to RE2's engine", () => {
  assert.equal(compileRegex({ source: "(?i)ABC" }).matches("abc"), true);
  assert.equal(compileRegex({ source: "[[:digit:]]+" }).matches("123"), true);
  assert.equal(compileRegex({ source: "a\\sb" }).matches("a\vb"), false);
  assert.equal(compileRegex({ source: "(?P<n>x)y" }).replaceAll("xy", "\\1\\\\"), "x\\");
});

test("redirects take what the action leaves open from the request", () => {
  const action = (overrides: Partial<RedirectAction>): RedirectAction => ({
    kind: "redirect",
    status: 301,
    scheme: undefined,
    host: undefined,
    port: undefined,
    path: undefined,
    prefixRewrite: undefined,
    regexRewrite: undefined,
    stripQuery: false,
    ...overrides,
  });
  const location = (overrides: Partial<RedirectAction>, authority = "h:80"): string => {
    const request = { path: "/a/b", query: "q=1", authority, scheme: "http" };
    const redirect = action(overrides);
    return redirectLocation(redirect, compileRewrite(redirect, route("/a").match), request);
  };
  assert.equal(location({}), "http://h:80/a/b?q=1");
  assert.equal(location({ scheme: "https" }), "https://h/a/b?q=1");
  assert.equal(location({ scheme: "https" }, "h:8080"), "https://h:8080/a/b?q=1");
  assert.equal(location({ host: "x" }), "http://x/a/b?q=1");
  assert.equal(location({ port: 81 }), "http://h:81/a/b?q=1");
  assert.equal(location({ path: "/z" }), "http://h:80/z?q=1");
  assert.equal(location({ path: "/z?y" }), "http://h:80/z?y");
  assert.equal(location({ prefixRewrite: "/n" }), "http://h:80/n/b?q=1");
  assert.equal(location({ stripQuery: true }), "http://h:80/a/b");
});
