/**
 * `header_key_format: proper_case_words` of listeners and clusters: the same requests run against Sluice and, with
 * SLUICE_TEST_PROXY, against Envoy.
 */
import assert from "node:assert/strict";
import { forEachProxy } from "../support/each-proxy.ts";
import { HttpClient } from "../support/http-peers.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { startUpstream } from "../support/tcp-peers.ts";
import { httpListener, routesTo, staticCluster } from "../support/truth-resources.ts";

const proper = { header_key_format: { proper_case_words: {} } };
const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const properCluster = {
  typed_extension_protocol_options: {
    [options]: {
      "@type": `type.googleapis.com/${options}`,
      explicit_http_config: { http_protocol_options: proper },
    },
  },
};
const request =
  "POST /a:b HTTP/1.1\r\nHost: a\r\nx-foo_bar-1st: Va-lue: x\r\nTE: trailers\r\ncontent-length: 2\r\n\r\nhi";

forEachProxy("names of fields are written as Envoy writes them", async (start, scope) => {
  const heads: string[] = [];
  const host = scope.use(
    await startUpstream((socket) => {
      socket.on("data", (part: Buffer) => {
        heads.push(part.toString("latin1"));
        socket.write("HTTP/1.1 200 OK\r\nx-a_b: c-d\r\netag: e\r\ncontent-length: 2\r\n\r\nok");
      });
    }),
  );
  const listeners = [
    httpListener("to clients", { http_protocol_options: proper, route_config: routesTo("plain") }),
    httpListener("to hosts", { route_config: routesTo("proper") }),
  ];
  const clusters = [
    staticCluster("plain", host.port),
    staticCluster("proper", host.port, properCluster),
  ];
  const proxy = await start({ admin: adminOnPortZero, static_resources: { listeners, clusters } });
  const ports = await proxy.listenerPorts();
  const answers = new Map<string, string>();
  for (const name of ["to clients", "to hosts"]) {
    const client = new HttpClient(ports.get(name) ?? 0);
    client.send(request);
    await client.until(() => client.rest.endsWith("ok"));
    answers.set(name, client.rest);
    client.socket.destroy();
  }
  const [plain = "", written = ""] = heads;
  const toClients = answers.get("to clients") ?? "";
  assert.match(toClients, /\r\nX-A_B: c-d\r\nEtag: e\r\nContent-Length: 2\r\n/);
  assert.match(toClients, /\r\nX-Envoy-Upstream-Service-Time: \d+\r\n/);
  assert.match(toClients, /\r\nServer: envoy\r\n/);
  assert.match(answers.get("to hosts") ?? "", /\r\nx-a_b: c-d\r\netag: e\r\n/);
  assert.match(plain, /\r\nhost: a\r\nx-foo_bar-1st: Va-lue: x\r\n/);
  assert.match(written, /^POST \/a:b HTTP\/1\.1\r\nHost: a\r\nX-Foo_Bar-1st: Va-lue: x\r\n/);
  assert.match(written, /\r\nX-Envoy-Expected-Rq-Timeout-Ms: 15000\r\n/);
  assert.match(written, /\r\n\r\nhi$/);
});
