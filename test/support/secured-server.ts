/** A control plane with TLS, in a folder of certificates that a test may replace; and bootstraps that ask for it. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ServerTls } from "../../src/xds-server/server-tls.ts";
import { TestAuthority, type TestCertificate } from "./certificates.ts";
import { PushingServer } from "./pushing-server.ts";
import { dynamicBootstrap } from "./truth-resources.ts";

const tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

export interface SecuredServerOptions {
  /** Of the server; default `xds.test` and 127.0.0.1. */
  readonly names?: readonly string[];
  readonly days?: number;
  /** Clients have to show a certificate. */
  readonly asksClient?: boolean;
  /** `unix:PATH`, made of the folder; default a port of loopback. */
  readonly address?: (folder: string) => string;
}

export class SecuredServer implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly folder: string;
  readonly log: string[] = [];
  readonly #stack: AsyncDisposableStack;
  #pushing: PushingServer | undefined;

  static async start(options: SecuredServerOptions = {}): Promise<SecuredServer> {
    const { names = ["DNS:xds.test", "IP:127.0.0.1"], days, asksClient = false } = options;
    const made = new SecuredServer();
    made.write("server", made.authority.issue(names, days === undefined ? {} : { days }));
    made.writeText("ca.pem", made.authority.certificate);
    const address = options.address?.(made.folder);
    made.#pushing = made.#stack.use(
      await PushingServer.start({
        tls: made.tls(asksClient),
        ...(address === undefined ? {} : { address }),
      }),
    );
    return made;
  }

  private constructor() {
    this.#stack = new AsyncDisposableStack();
    this.authority = this.#stack.use(new TestAuthority());
    this.folder = mkdtempSync(path.join(tmpdir(), "sluice-tls-"));
    this.#stack.defer(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  get pushing(): PushingServer {
    if (!this.#pushing) throw new Error("not started");
    return this.#pushing;
  }

  /** Over the files of the folder. */
  tls(asksClient: boolean): ServerTls {
    const files = {
      certificate: this.file("server.pem"),
      privateKey: this.file("server.key"),
      clientCa: asksClient ? this.file("ca.pem") : undefined,
    };
    return new ServerTls(files, (line) => void this.log.push(line));
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** `<name>.pem` and `<name>.key`, each moved into place; the key first, as watchers see the last one. */
  write(name: string, { certificate, privateKey }: TestCertificate): void {
    this.writeText(`${name}.key`, privateKey);
    this.writeText(`${name}.pem`, certificate);
  }

  /** Moved into place, as everything that is watched is. */
  writeText(name: string, text: string): void {
    writeFileSync(this.file(`${name}.new`), text);
    renameSync(this.file(`${name}.new`), this.file(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** An `UpstreamTlsContext`; `sni` is `xds.test` unless said otherwise. */
export function tlsSocket(common: object, fields: object = {}): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${tls}.UpstreamTlsContext`,
      sni: "xds.test",
      common_tls_context: common,
      ...fields,
    },
  };
}

/** Everything by ADS through the cluster `control`, with its transport socket. */
export function securedBootstrap(address: string, socket: object, apiType = "GRPC"): object {
  const base = dynamicBootstrap(address, apiType) as {
    static_resources: { clusters: readonly object[] };
  };
  const [control, ...others] = base.static_resources.clusters;
  return {
    ...base,
    static_resources: {
      ...base.static_resources,
      clusters: [{ ...control, transport_socket: socket }, ...others],
    },
  };
}

/** A file of SDS, as `path_config_source` reads it. */
export function secretFileText(secret: object): string {
  return JSON.stringify({ resources: [{ "@type": `${tls}.Secret`, ...secret }] });
}

export const fromFile = (name: string, file: string): object => ({
  name,
  sds_config: { path_config_source: { path: file }, resource_api_version: "V3" },
});
