/** A proxy between clients and servers of gRPC: in plain text both ways, and under TLS both ways. */
import { TestAuthority } from "./certificates.ts";
import type { StartProxy } from "./each-proxy.ts";
import type { ProxyProcess } from "./proxy-process.ts";
import { adminOnPortZero } from "./sluice-program.ts";
import { clientSocket, inlinePair, serverSocket, trusts, underTls } from "./tls-resources.ts";
import { http2Cluster, httpListener } from "./truth-resources.ts";

/** What proxy and servers show, and clients trust. */
export class GrpcIdentity implements Disposable {
  readonly authority = new TestAuthority();
  readonly pair = this.authority.issue(["IP:127.0.0.1", "DNS:localhost"]);
  readonly root = Buffer.from(this.authority.certificate);
  readonly keys = [
    {
      private_key: Buffer.from(this.pair.privateKey),
      cert_chain: Buffer.from(this.pair.certificate),
    },
  ];

  [Symbol.dispose](): void {
    this.authority[Symbol.dispose]();
  }
}

export interface GrpcPorts {
  readonly plain: number;
  readonly secured: number;
}

/** `hosts`: where its clusters of these names lead. */
export async function startGrpcProxy(
  start: StartProxy,
  hosts: GrpcPorts,
  { authority, pair }: GrpcIdentity,
): Promise<{ readonly proxy: ProxyProcess; readonly listeners: GrpcPorts }> {
  const server = serverSocket({ tls_certificates: [inlinePair(pair)], alpn_protocols: ["h2"] });
  const client = clientSocket({ validation_context: trusts(authority), alpn_protocols: ["h2"] });
  const proxy = await start({
    admin: adminOnPortZero,
    static_resources: {
      listeners: [
        httpListener("plain", routing("plain")),
        underTls(httpListener("secured", routing("secured")), server),
      ],
      clusters: [
        http2Cluster("plain", hosts.plain),
        { ...http2Cluster("secured", hosts.secured), transport_socket: client },
      ],
    },
  });
  const ports = await proxy.listenerPorts();
  const listeners = { plain: ports.get("plain") ?? 0, secured: ports.get("secured") ?? 0 };
  return { proxy, listeners };
}

/** Streams may last. */
function routing(cluster: string): object {
  const routes = [{ match: { prefix: "/" }, route: { cluster, timeout: "0s" } }];
  return { route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } };
}
