/**
 * `original_dst` with a redirect of the packet filter, as a sidecar's: in a network namespace of its own, where the machine
 * has `unshare`, `ip` and `nft` and lets us. The test runs itself once more in there.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { echo, listenerFilter } from "../../support/listener-filter-stage.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { TestClient, startUpstream } from "../../support/tcp-peers.ts";

const inNamespace = "SLUICE_TEST_NAMESPACE";
const proxyPort = 15_001;
const addresses = ["192.0.2.1", "2001:db8::1"] as const;
const redirects = (family: string, destination: string): string => `
table ${family} nat {
  chain output {
    type nat hook output priority -100;
    ${family} daddr ${destination} tcp dport 80 redirect to :${proxyPort};
  }
}
`;
const rules = redirects("ip", "192.0.2.0/24") + redirects("ip6", "2001:db8::/32");
const setUp = [
  "ip link set lo up",
  "ip addr add 192.0.2.1/32 dev lo",
  "ip -6 addr add 2001:db8::1/128 dev lo nodad",
  `printf '%s' "$RULES" | nft -f -`,
].join(" && ");

function inNewNamespace(command: string): {
  readonly status: number | null;
  readonly output: string;
} {
  // The test runner's own variable would make the inner run report to nobody.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const env = { ...environment, RULES: rules, [inNamespace]: "1" };
  const script = `${setUp} && ${command}`;
  const { status, stdout, stderr } = spawnSync("unshare", ["-n", "sh", "-c", script], {
    env,
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
}

if (process.env[inNamespace] === undefined) {
  const isPossible = process.platform === "linux" && inNewNamespace("true").status === 0;
  const skip = isPossible ? false : "needs root, and unshare, ip and nft";
  test("in a network namespace, with redirects", { skip }, () => {
    const { status, output } = inNewNamespace(
      `exec '${process.execPath}' --test '${import.meta.filename}'`,
    );
    assert.equal(status, 0, output);
  });
} else {
  for (const address of addresses)
    test(`what was redirected goes on to where it was going: ${address}`, () => goesOn(address));
}

async function goesOn(address: string): Promise<void> {
  const isIpv6 = address.includes(":");
  await using upstream = await startUpstream(echo("there"), address);
  const types = "type.googleapis.com/envoy.extensions";
  const wildcard = {
    socket_address: { address: isIpv6 ? "::" : "0.0.0.0", port_value: proxyPort },
  };
  await using proxy = await ProxyProcess.start({
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: {
      listeners: [
        {
          name: "l",
          stat_prefix: "l",
          address: wildcard,
          listener_filters: [listenerFilter("original_dst", "OriginalDst")],
          filter_chains: [
            { filter_chain_match: { destination_port: 80 }, filters: [tcpProxy(types)] },
          ],
        },
      ],
      clusters: [
        {
          name: "original",
          type: "ORIGINAL_DST",
          lb_policy: "CLUSTER_PROVIDED",
          // Else it would be redirected once more.
          original_dst_lb_config: { upstream_port_override: upstream.port },
        },
      ],
    },
  });
  const client = new TestClient(80, isIpv6 ? "2001:db8::1" : "192.0.2.1");
  client.socket.write("hello");
  await Promise.race([client.until(() => client.received.includes("hello")), client.ended()]);
  assert.equal(client.received.toString("latin1"), "there:hello");
  client.socket.destroy();
  // Not redirected: there is no such port in its address, so no chain.
  const direct = new TestClient(proxyPort, isIpv6 ? "::1" : "127.0.0.1");
  await direct.ended();
  assert.equal(direct.receivedBytes, 0);
  assert.equal(await proxy.stat("listener.l.no_filter_chain_match"), 1);
}

function tcpProxy(types: string): object {
  return {
    name: "tcp",
    typed_config: {
      "@type": `${types}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: "tcp",
      cluster: "original",
    },
  };
}
