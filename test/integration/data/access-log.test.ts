import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { AccessLogConfig } from "../../../src/shared/config/access-log-config.ts";
import { clusterConfig, hostConfig } from "../../support/cluster-fixture.ts";
import { listenerConfig, matchAnything, tcpChain } from "../../support/listener-fixture.ts";
import { startUpstream, TestClient } from "../../support/tcp-peers.ts";
import { forEachWorkerKind } from "../../support/test-workers.ts";
import { listenerStats } from "../../../src/shared/stats/stat-names.ts";

function logTo(file: string, prefix: string, ...operators: string[]): AccessLogConfig {
  const parts = operators.flatMap((name) => [
    { kind: "operator", name, args: [], maxLength: undefined } as const,
    { kind: "literal", text: name === operators.at(-1) ? "\n" : " " } as const,
  ]);
  return {
    kind: "line",
    sink: { kind: "file", path: file },
    format: { kind: "text", parts: [{ kind: "literal", text: `${prefix} ` }, ...parts] },
    filter: undefined,
  };
}

forEachWorkerKind(
  "connections are logged by their proxy and by their listener",
  {},
  async (workers) => {
    await using upstream = await startUpstream();
    workers.setCluster(clusterConfig(), [hostConfig(upstream.port)]);
    const folder = mkdtempSync(path.join(tmpdir(), "sluice-test-"));
    const file = path.join(folder, "access.log");
    try {
      const operators = ["BYTES_RECEIVED", "UPSTREAM_CLUSTER", "RESPONSE_FLAGS"];
      const chain = {
        ...tcpChain("logged", { accessLog: [logTo(file, "proxy", ...operators)] }),
        match: { ...matchAnything, sourcePrefixRanges: [{ ip: "127.0.0.1", prefixLength: 32 }] },
      };
      const accessLog = [logTo(file, "listener", ...operators)];
      const matching = await workers.addListener(
        listenerConfig({ filterChains: [chain], accessLog }),
      );
      const client = new TestClient(matching.port);
      client.socket.end("hello");
      await client.until(() => client.hasClosed);

      const never = { ...chain, match: { ...matchAnything, transportProtocol: "tls" } };
      const other = await workers.addListener(listenerConfig({ filterChains: [never], accessLog }));
      await new TestClient(other.port).ended();
      const noMatch = () =>
        workers.stat(listenerStats, other.slots.listener, "no_filter_chain_match");
      await workers.untilCounted(() => noMatch() === 1);
      assert.equal(workers.stat(listenerStats, other.slots.listener, "downstream_cx_total"), 0);
      assert.equal(workers.stat(listenerStats, other.slots.listener, "downstream_cx_active"), 0);

      const lines = (): string[] => {
        try {
          return readFileSync(file, "latin1").split("\n").filter(Boolean).sort();
        } catch {
          return [];
        }
      };
      await workers.untilCounted(() => lines().length >= 3);
      assert.deepEqual(lines(), ["listener 0 - NR", "listener 5 c -", "proxy 5 c -"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
