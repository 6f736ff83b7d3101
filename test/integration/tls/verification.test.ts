/** Whom a listener lets in, where Envoy's rules are not what one would think. `SLUICE_TEST_PROXY=envoy` runs it on Envoy. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { TestAuthority, type TestCertificate } from "../../support/certificates.ts";
import { forEachProxy } from "../../support/each-proxy.ts";
import { adminOnPortZero } from "../../support/sluice-program.ts";
import { securedGet } from "../../support/tls-clients.ts";
import { inlinePair, serverSocket, trusts, underTls } from "../../support/tls-resources.ts";
import { httpListener } from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const root = new TestAuthority("root");
const upper = root.issueAuthority();
const lower = upper.issueAuthority();
const stranger = new TestAuthority("stranger");
after(() => {
  for (const authority of [root, upper, lower, stranger]) authority[Symbol.dispose]();
});
const own = root.issue(["DNS:a.test"]);

const answer = { status: 200, body: { inline_string: "ok" } };
const host = {
  name: "r",
  domains: ["*"],
  routes: [{ match: { prefix: "/" }, direct_response: answer }],
};

function listener(name: string, common: object, fields: object = {}): object {
  const socket = serverSocket({ tls_certificates: [inlinePair(own)], ...common }, fields);
  return underTls(httpListener(name, { route_config: { name, virtual_hosts: [host] } }), socket);
}

const required = { require_client_certificate: true };

/** Whether a client is let in that shows the certificate, and those above it. */
async function isLetIn(
  port: number,
  certificate: TestCertificate | undefined,
  ...above: readonly TestAuthority[]
): Promise<boolean> {
  const chain = [certificate?.certificate, ...above.map((one) => one.certificate)].join("");
  const shown = certificate ? { cert: chain, key: certificate.privateKey } : {};
  return securedGet(port, shown).then(
    ({ status }) => status === 200,
    () => false,
  );
}

forEachProxy("where nothing says whose certificate is required, none is", async (start) => {
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: { listeners: [listener("l", {}, required)] },
  });
  const port = (await proxy.listenerPorts()).get("l") ?? 0;
  assert.equal(await isLetIn(port, undefined), true);
  assert.equal(await isLetIn(port, stranger.issue(["DNS:s.test"])), true);
  assert.equal(await isLetIn(port, root.issue(["DNS:s.test"], { days: -1 })), true);
});

forEachProxy("max_verify_depth", async (start) => {
  const depths = [0, 1, 2, 3];
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: depths.map((depth) =>
        listener(
          `d${depth}`,
          { validation_context: trusts(root, { max_verify_depth: depth }) },
          required,
        ),
      ),
    },
  });
  const ports = await proxy.listenerPorts();
  const table: boolean[][] = [];
  for (const depth of depths) {
    const port = ports.get(`d${depth}`) ?? 0;
    table.push([
      await isLetIn(port, root.issue([])),
      await isLetIn(port, upper.issue([]), upper),
      await isLetIn(port, lower.issue([]), lower, upper),
    ]);
  }
  // The root counts: with 0 or 1 there may be none between it and the leaf.
  assert.deepEqual(table, [
    [true, false, false],
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

forEachProxy(
  "a revoked intermediate, and lists of the leaf alone",
  async (start, _open, isNode) => {
    const crl = {
      inline_string: [
        root.revocationList([{ certificate: upper.certificate, privateKey: "" }]),
        upper.revocationList([]),
      ].join(""),
    };
    const proxy = await start({
      admin: adminOnPortZero,
      static_resources: {
        listeners: [
          listener("all", { validation_context: trusts(root, { crl }) }, required),
          listener(
            "leaf",
            { validation_context: trusts(root, { crl, only_verify_leaf_cert_crl: true }) },
            required,
          ),
        ],
      },
    });
    const ports = await proxy.listenerPorts();
    const leaf = upper.issue([]);
    assert.equal(await isLetIn(ports.get("all") ?? 0, leaf, upper), false);
    assert.equal(await isLetIn(ports.get("leaf") ?? 0, leaf, upper), !isNode);
  },
);

forEachProxy("a key log that cannot be written is refused at the start", async (start) => {
  const log = { path: "/nonexistent/folder/keys" };
  const bootstrap = {
    admin: adminOnPortZero,
    static_resources: { listeners: [listener("l", { key_log: log })] },
  };
  await assert.rejects(
    start(bootstrap),
    /unable to open file '\/nonexistent\/folder\/keys': No such file or directory/,
  );
});

forEachProxy("keys are logged of connections within the ranges", async (start, open) => {
  const folder = await mkdtemp(path.join(tmpdir(), "sluice-keys-"));
  open.defer(() => rm(folder, { recursive: true }));
  const range = (address: string): object => ({ address_prefix: address, prefix_len: 32 });
  const ranges: Readonly<Record<string, object>> = {
    all: {},
    remote: { remote_address_range: [range("127.0.0.2")] },
    local: { local_address_range: [range("127.0.0.1"), range("10.0.0.1")] },
    both: { remote_address_range: [range("127.0.0.2")], local_address_range: [range("10.0.0.1")] },
  };
  const file = (name: string): string => path.join(folder, name);
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: Object.entries(ranges).map(([name, fields]) =>
        listener(name, { key_log: { path: file(name), ...fields } }),
      ),
    },
  });
  const ports = await proxy.listenerPorts();
  const seen: Record<string, readonly number[]> = {};
  for (const name of Object.keys(ranges)) {
    const port = ports.get(name) ?? 0;
    for (const localAddress of ["127.0.0.1", "127.0.0.2"])
      assert.equal((await securedGet(port, { localAddress })).status, 200);
  }
  const lines = (name: string): number => readFileSync(file(name), "latin1").split("\n").length - 1;
  await until(() => lines("all") === 10 && lines("local") === 10, "both are written");
  for (const name of Object.keys(ranges)) seen[name] = [lines(name)];
  assert.deepEqual(seen, { all: [10], remote: [5], local: [10], both: [0] });
  assert.match(
    readFileSync(file("all"), "latin1"),
    /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$/m,
  );
});
