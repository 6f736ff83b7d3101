/** What heads are composed with, whoever holds it: the part of an `HttpContext` that names no request. */
import type { HttpConnectionManagerConfig } from "../../../shared/config/http-config.ts";
import type { Reactor } from "../../../shared/io/reactor.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import type { DateHeader } from "./date-header.ts";
import type { RemoteLinesTable } from "../headers/forwarding-fields.ts";
import type { ClientCertificates } from "../headers/client-certificate.ts";
import type { HeaderCapture } from "../headers/header-capture.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import type { RequestIds } from "../request/request-id.ts";

/** Of one version of a connection manager's configuration. */
export interface LiveFields {
  readonly config: HttpConnectionManagerConfig;
  /** `server: …` and `via: …` lines; empty where there is none. */
  readonly serverLine: Uint8Array;
  readonly viaLine: Uint8Array;
  /** Of a request that asks for this, and may have it; as in `upgrade.ts`. */
  suppressesEnvoyHeaders(upgradeType: string): boolean;
  readonly clientCertificates: ClientCertificates;
}

export interface ComposerContext {
  readonly worker: WorkerContext;
  readonly reactor: Reactor;
  readonly writer: HeadWriter;
  readonly dates: DateHeader;
  readonly requestIds: RequestIds;
  readonly remoteLines: RemoteLinesTable;
  readonly requestCapture: HeaderCapture;
  readonly responseCapture: HeaderCapture;
  /** Of responses. */
  readonly trailerCapture: HeaderCapture;
  /** Its clients speak TLS. */
  readonly isTls: boolean;
  /** What requests that begin now have. */
  readonly live: LiveFields;
  readonly config: HttpConnectionManagerConfig;
}
