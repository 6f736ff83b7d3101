/** Every case of h2spec, strict ones included: in plain text and under TLS, on both reactors. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { TestAuthority } from "../support/certificates.ts";
import { forEachProxy } from "../support/each-proxy.ts";
import { findH2spec, runH2spec } from "../support/h2spec.ts";
import { adminOnPortZero } from "../support/sluice-program.ts";
import { inlinePair, serverSocket, underTls } from "../support/tls-resources.ts";
import { httpListener, routesTo, staticCluster } from "../support/truth-resources.ts";

const h2spec = await findH2spec();
const thoughtMs = 50;
const authority = new TestAuthority();
after(() => authority[Symbol.dispose]());

if ("missing" in h2spec) test("h2spec", { skip: h2spec.missing }, () => {});
else
  for (const isTls of [false, true]) {
    const over = isTls ? "TLS" : "plain text";
    forEachProxy(`h2spec holds over ${over}`, async (start, open) => {
      const upstream = await thoughtfulUpstream(open);
      const socket = serverSocket({
        tls_certificates: [inlinePair(authority.issue(["DNS:a.test"]))],
        alpn_protocols: ["h2"],
      });
      // AUTO would take a preface that is wrong for HTTP/1.
      const manager = { codec_type: "HTTP2", route_config: routesTo("up") };
      const listener = httpListener("web", manager);
      const proxy = await start({
        admin: adminOnPortZero,
        static_resources: {
          listeners: [isTls ? underTls(listener, socket) : listener],
          clusters: [staticCluster("up", upstream)],
        },
      });
      const port = (await proxy.listenerPorts()).get("web") ?? 0;
      const report = await runH2spec(h2spec, port, { isTls });
      assert.deepEqual(report.failed, []);
      assert.deepEqual(report.skipped, []);
      assert(report.cases >= 146, `${report.cases} cases`);
    });
  }

/** Some cases go on with a stream that they have begun: an answer that is there at once ends it before. */
async function thoughtfulUpstream(open: AsyncDisposableStack): Promise<number> {
  const server = createServer((_, response) => {
    setTimeout(() => response.end("hello"), thoughtMs);
  });
  open.defer(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}
