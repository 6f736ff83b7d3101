/**
 * TLS of the management server, over sockets that were accepted elsewhere. Files are read again for each new
 * connection, so a certificate is renewed by putting another in its place; a broken one leaves the old.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { messageOf } from "../shared/common/errors.ts";

export interface ServerTlsFiles {
  /** PEM: the server's own first, then those that signed it. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
  /** PEM: who has to have signed a client's certificate; undefined: clients show none. */
  readonly clientCa?: string | undefined;
}

export class ServerTls {
  readonly #files: ServerTlsFiles;
  readonly #log: (line: string) => void;
  /** The last good ones. */
  #options: TlsOptions;

  /** Throws where a file cannot be read, or is no certificate or key. */
  constructor(files: ServerTlsFiles, log: (line: string) => void) {
    this.#files = files;
    this.#log = log;
    this.#options = read(files);
  }

  /** `onSecured` is called when the handshake has succeeded; or else the socket is closed. */
  accept(socket: Socket, onSecured: (secured: TLSSocket) => void): void {
    this.#renew();
    // One for each connection: its contexts are the ones of now, and its events are this connection's.
    const server = createServer(this.#options, onSecured);
    server.on("tlsClientError", (error) => {
      this.#log(`TLS: a client is refused: ${error.message}`);
      socket.destroy();
    });
    server.emit("connection", socket);
  }

  #renew(): void {
    try {
      this.#options = read(this.#files);
    } catch (error) {
      this.#log(`TLS: the certificates stay as they were: ${messageOf(error)}`);
    }
  }
}

function read({ certificate, privateKey, clientCa }: ServerTlsFiles): TlsOptions {
  const options = {
    cert: readFileSync(certificate),
    key: readFileSync(privateKey),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
  createSecureContext(options);
  const asksClient = clientCa !== undefined;
  return {
    ...options,
    requestCert: asksClient,
    rejectUnauthorized: asksClient,
    ALPNProtocols: ["h2", "http/1.1"],
  };
}
