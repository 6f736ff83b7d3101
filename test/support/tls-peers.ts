/** TLS over a reactor: a server of ours with Node's clients, and a client of ours with Node's servers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import type { ClientTlsConfig, ServerTlsConfig } from "../../src/shared/config/tls-config.ts";
import type { Socket } from "../../src/shared/io/reactor.ts";
import type { TlsContext } from "../../src/shared/io/tls/tls.ts";
import type { TestReactor } from "./reactors.ts";
import { Recorder } from "./recorder.ts";

export const tlsParameters = {
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
  ecdhCurves: "",
  signatureAlgorithms: "",
} as const;

export function serverTls(config: Partial<ServerTlsConfig>): ServerTlsConfig {
  return {
    identities: [],
    validation: undefined,
    requiresClientCertificate: false,
    alpnProtocols: [],
    parameters: tlsParameters,
    ticketKeys: [],
    sessionTimeoutS: undefined,
    resumesBySessionId: true,
    ocspStaplePolicy: "lenient",
    prefersClientCiphers: false,
    keyLog: undefined,
    ...config,
  };
}

export function clientTls(config: Partial<ClientTlsConfig>): ClientTlsConfig {
  return {
    identity: undefined,
    validation: undefined,
    serverName: "",
    alpnProtocols: [],
    parameters: tlsParameters,
    allowsRenegotiation: false,
    sessionKeysMax: 1,
    keyLog: undefined,
    ...config,
  };
}

export interface TlsServer {
  readonly port: number;
  /** Connections in the order in which they were accepted. */
  readonly accepted: { readonly socket: Socket; readonly recorder: Recorder }[];
}

/** Secures what it accepts, and answers with what it is sent until `serve` says otherwise. */
export async function listenSecured(
  context: TestReactor,
  secured: () => TlsContext,
  options: { readonly bufferLimitBytes?: number } = {},
): Promise<TlsServer> {
  const { reactor } = context;
  const { ref } = await context.listenSocket();
  assert(ref.localAddress.kind === "ip");
  const accepted: TlsServer["accepted"] = [];
  reactor.listen(ref, {
    acceptsPerEventMax: 16,
    onAccepted: (descriptor) => {
      const recorder: Recorder = new Recorder(reactor, {
        onData: (start, end) => socket.write(start, end),
        onEnd: () => socket.shutdownWrite(),
        onAboveHighWatermark: () => socket.setReading(false),
        onBelowLowWatermark: () => socket.setReading(true),
      }).countOnly();
      const { bufferLimitBytes = 0 } = options;
      const socket: Socket = reactor.adopt(descriptor, recorder, {
        bufferLimitBytes,
        noDelay: true,
      });
      accepted.push({ socket, recorder });
      socket.startTls({ context: secured() });
    },
    onBatch: () => {},
    onExhausted: () => assert.fail("out of descriptors"),
  });
  return { port: ref.localAddress.port, accepted };
}

/** Node's client, once its handshake is done; rejects when there is none. */
export async function connectSecured(
  port: number,
  options: Partial<tls.ConnectionOptions> = {},
  onDialled: (client: tls.TLSSocket) => void = () => {},
): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    allowHalfOpen: true,
    ...options,
  } as tls.ConnectionOptions);
  onDialled(socket);
  await once(socket, "secureConnect");
  return socket;
}

/** Sends, and gives as many bytes back as were sent. */
export async function echo(socket: tls.TLSSocket, bytes: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let received = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    received += chunk.length;
    if (received >= bytes.length) resolve();
  };
  socket.on("data", take);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error(`closed after ${received} bytes`)));
  socket.write(bytes);
  await promise;
  socket.off("data", take);
  return Buffer.concat(chunks);
}

/** Node's server, which echoes. */
export async function startTlsServer(
  options: tls.TlsOptions,
): Promise<AsyncDisposable & { readonly port: number; readonly seen: tls.TLSSocket[] }> {
  const seen: tls.TLSSocket[] = [];
  const server = tls.createServer(options, (socket) => {
    seen.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of seen) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
