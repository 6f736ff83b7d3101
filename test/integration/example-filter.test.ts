/** The example of docs/FILTERS.md, as its readers run it; and what is wrong with a filter's file or configuration. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { load } from "js-yaml";
import { startHttpUpstream } from "../support/http-peers.ts";
import { ProxyProcess } from "../support/proxy-process.ts";

const greeting = path.resolve("examples/http-filter/greeting.ts");
const text = readFileSync("examples/http-filter/bootstrap.yaml", "utf8");
const onFreePorts = text.replaceAll(/port_value: \d+/g, "port_value: 0");

test("the example greets who says a name", async () => {
  const bootstrap = load(onFreePorts) as object;
  await using proxy = await ProxyProcess.start(bootstrap, ["--http-filter", greeting]);
  const port = (await proxy.listenerPorts()).get("front");
  const stranger = await fetch(`http://127.0.0.1:${port}/`);
  assert.deepEqual([stranger.status, await stranger.text()], [401, "Who are you?\n"]);
  const headers = { "x-name": "ada" };
  const known = await fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    headers,
    body: "I am ada",
  });
  assert.deepEqual([known.status, await known.text()], [200, "You are in.\n"]);
  assert.equal(known.headers.get("x-greeting"), "Welcome, ada!");
});

test("and writes the name large on its way to a host", async () => {
  await using upstream = await startHttpUpstream();
  const action = 'direct_response: { status: 200, body: { inline_string: "You are in.\\n" } }';
  const address = `{ socket_address: { address: 127.0.0.1, port_value: ${upstream.port} } }`;
  const cluster = `  clusters:
    - name: host
      load_assignment:
        cluster_name: host
        endpoints: [{ lb_endpoints: [{ endpoint: { address: ${address} } }] }]
`;
  const bootstrap = load(
    onFreePorts.replace(action, "route: { cluster: host }") + cluster,
  ) as object;
  await using proxy = await ProxyProcess.start(bootstrap, ["--http-filter", greeting]);
  const port = (await proxy.listenerPorts()).get("front");
  const headers = { "x-name": "ada" };
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    method: "POST",
    headers,
    body: "I am ada",
  });
  assert.equal(await answer.text(), "I am ADA");
  assert.equal(upstream.requests[0]?.headers["x-known-as"], "ada");
  assert.equal(upstream.requests[0]?.headers["x-name"], undefined);
});

const typed = "type.googleapis.com/xds.type.v3.TypedStruct";
const ofRoute = (word: string): string =>
  `typed_per_filter_config: { greeting: { "@type": ${typed}, type_url: type.googleapis.com/example.greeting, value: { word: ${word} } } }`;
const routesOf = (said: string): string => `
                        - match: { path: /mine }
                          direct_response: { status: 200, body: { inline_string: "Mine." } }
                          ${said}
                        - match: { path: /open }
                          direct_response: { status: 200, body: { inline_string: "Open." } }
                          typed_per_filter_config: { greeting: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }
                        - match: { prefix: / }`;
const withRoutes = (said: string): string =>
  onFreePorts.replace("\n                        - match: { prefix: / }", routesOf(said));

test("a route says what word its visitors hear, or turns the filter off", async () => {
  const bootstrap = load(withRoutes(ofRoute("Good day"))) as object;
  await using proxy = await ProxyProcess.start(bootstrap, ["--http-filter", greeting]);
  const port = (await proxy.listenerPorts()).get("front");
  const headers = { "x-name": "ada" };
  const heard: string[] = [];
  for (const where of ["mine", "other", "mine", "open"]) {
    const answer = await fetch(`http://127.0.0.1:${port}/${where}`, { headers });
    heard.push(answer.headers.get("x-greeting") ?? (await answer.text()));
  }
  assert.deepEqual(heard, ["Good day, ada!", "Welcome, ada!", "Good day, ada!", "Open."]);
});

function validate(bootstrap: string, files: readonly string[]): string {
  const flags = files.flatMap((file) => ["--http-filter", file]);
  const args = ["--mode", "validate", "--config-yaml", bootstrap, ...flags];
  const { status, stderr } = spawnSync(path.resolve("bin/sluice"), args, { encoding: "utf8" });
  assert.equal(status, 1, stderr);
  return stderr;
}

test("what is wrong is said with the file or the filter", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice-filters-"));
  const file = (name: string, source: string): string => {
    writeFileSync(path.join(folder, name), source);
    return path.join(folder, name);
  };
  try {
    assert.match(
      validate(text, []),
      /Didn't find a registered implementation for 'greeting' with type URL: 'example\.greeting'/,
    );
    assert.match(
      validate(text, ["/nowhere.ts"]),
      /--http-filter \/nowhere\.ts: .*Cannot find module/,
    );
    const empty = file("empty.ts", "export const other = 1;\n");
    assert.match(validate(text, [empty]), /it exports no filter: \{ name, configure \}/);
    const nameless = file("nameless.ts", "export const filter = { name: 'x', configure() {} };\n");
    assert.match(validate(text, [nameless]), /'x' is no name like 'example\.greeting'/);
    assert.match(validate(text, [greeting, greeting]), /'example\.greeting' is there already/);
    const wrong = text.replace("word: Welcome", "word: 1");
    assert.match(validate(wrong, [greeting]), /HTTP filter 'greeting': word: a string is wanted/);
    const wrongOfRoute = withRoutes(ofRoute("1"));
    assert.match(validate(wrongOfRoute, [greeting]), /HTTP filter 'greeting': word: a string/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
