import type { Command } from "../measure/pinned-process.ts";

/** One way to run one proxy: what stands as a column in the report. */
export interface Contender {
  readonly name: string;
  readonly version: string;
  /** Writes its configuration into `folder` and says how to start it, in the foreground. */
  prepare(folder: string, ports: Ports): Command;
}

/** Loopback ports: where the proxy is to listen, and where the backend does. */
export interface Ports {
  readonly proxy: number;
  readonly backend: number;
}

/**
 * `h2c`: HTTP/2 of clients in plain text, by prior knowledge; `h2c-both`: and to the backend; `websocket`: HTTP/1.1 with
 * that upgrade. `sni`: TCP by the name in the client's hello, out of a thousand; TLS stays with the backend.
 */
export type Protocol = "http" | "h2c" | "h2c-both" | "websocket" | "https" | "tcp" | "sni";
