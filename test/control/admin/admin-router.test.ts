import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdminRouter } from "../../../src/control/admin/admin-router.ts";
import { type AdminEndpoint, okResponse } from "../../../src/control/admin/endpoint.ts";
import { homeEndpoints } from "../../../src/control/admin/home-endpoints.ts";

const change: AdminEndpoint = {
  path: "/change",
  isMutation: true,
  help: "changes <something>",
  parameters: [{ name: "level", help: "how much", oneOf: ["a", "b"] }],
  handle: () => okResponse,
};
const broken: AdminEndpoint = {
  path: "/broken",
  isMutation: false,
  help: "throws",
  handle: () => {
    throw new Error("boom");
  },
};

async function route(
  method: string,
  path: string,
  isAllowed: (path: string) => boolean = () => true,
) {
  const bugs: unknown[] = [];
  const endpoints = homeEndpoints([change, broken]);
  const router = createAdminRouter(endpoints, isAllowed, (bug) => bugs.push(bug));
  return { ...(await router.route(method, path, { query: new URLSearchParams() })), bugs };
}

test("route() refuses the wrong method in Envoy's words", async () => {
  const refused = await route("GET", "/change");
  assert.equal(refused.status, 405);
  assert.equal(refused.body, "Method GET not allowed, POST required.");
  assert.equal((await route("PUT", "/change")).body, "Method PUT not allowed, POST required.");
  assert.equal((await route("DELETE", "/help")).status, 405);
  assert.equal((await route("POST", "/change")).status, 200);
  // Envoy answers a POST where GET would do.
  assert.equal((await route("POST", "/help")).status, 200);
});

test("route() answers an unknown path with 404 and the list", async () => {
  const unknown = await route("GET", "/nope");
  assert.equal(unknown.status, 404);
  assert.match(unknown.body, /^invalid path\. admin commands are:\n {2}\/: Admin home page\n/);
});

test("route() hides what allow_paths leaves out", async () => {
  assert.equal((await route("GET", "/help", (path) => path !== "/help")).status, 403);
  assert.equal((await route("GET", "/help", (path) => path === "/help")).status, 200);
});

test("route() answers 500 for an endpoint that throws, and reports it", async () => {
  const { status, bugs } = await route("GET", "/broken");
  assert.equal(status, 500);
  assert.equal(bugs.length, 1);
});

test("/help lists paths in order with their parameters, / is HTML with buttons for POST", async () => {
  const { body } = await route("GET", "/help");
  assert.match(
    body,
    /\/change \(POST\): changes <something>\n {6}level: how much; One of \(a, b\)\n/,
  );
  assert(body.indexOf("/broken") < body.indexOf("/change"));
  const home = await route("GET", "/");
  assert.match(home.contentType, /^text\/html/);
  assert.match(home.body, /<form method="post" action="\/change">/);
  assert.match(home.body, /changes &lt;something&gt;/);
});
