/**
 * A check by `grpc.health.v1.Health/Check`. The two messages are one field each, so they are written and read here
 * and need no descriptors.
 */
import { Client, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import jspb from "google-protobuf";
import { type SocketAddress, formatAddress } from "../../../shared/common/address.ts";
import type { GrpcProbeConfig } from "../../config/health-check-config.ts";
import { HandshakeSockets, watchedCredentials } from "../../xds/watched-credentials.ts";
import type { CheckOutcome } from "./check-state.ts";
import { type Prober, type ProbeTarget, failed } from "./prober.ts";

const method = "/grpc.health.v1.Health/Check";
const answerBytesMax = 64 * 1024;
/** `HealthCheckResponse.ServingStatus`. */
const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

export interface GrpcProberOptions {
  readonly config: GrpcProbeConfig;
  readonly target: ProbeTarget;
  readonly reuseConnection: boolean;
}

interface Connection {
  readonly client: Client;
  readonly sockets: HandshakeSockets;
}

export class GrpcProber implements Prober {
  readonly #options: GrpcProberOptions;
  readonly #request: Buffer;
  readonly #metadata = new Metadata();
  #connection: Connection | undefined;

  constructor(options: GrpcProberOptions) {
    this.#options = options;
    this.#request = writeRequest(options.config.serviceName);
    for (const { name, value } of options.config.metadata) this.#metadata.add(name, value);
  }

  probe(onOutcome: (outcome: CheckOutcome) => void): Disposable {
    this.#connection ??= this.#connect();
    let isOver = false;
    const call = this.#connection.client.makeUnaryRequest(
      method,
      (bytes: Buffer) => bytes,
      readStatus,
      this.#request,
      this.#metadata,
      {},
      (error, serving) => {
        if (isOver) return;
        isOver = true;
        const outcome = error ? errorOutcome(error) : answerOutcome(serving ?? 0);
        // A connection that failed would be tried again at its own pace, not at that of the checks.
        if (outcome.kind === "failure" || !this.#options.reuseConnection) this.#close();
        onOutcome(outcome);
      },
    );
    return {
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        call.cancel();
        this.#close();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #connect(): Connection {
    const { config, target } = this.#options;
    const sockets = new HandshakeSockets();
    const credentials = watchedCredentials(sockets, target.security);
    const client = new Client(grpcAddress(target.address), credentials, {
      "grpc.default_authority": target.hostname || config.authority || target.clusterName,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.max_receive_message_length": answerBytesMax,
    });
    return { client, sockets };
  }

  #close(): void {
    this.#connection?.client.close();
    this.#connection?.sockets.giveUp();
    this.#connection = undefined;
  }
}

/** grpc-js says UNAVAILABLE where there was no connection, and where the server says so itself. */
function errorOutcome(error: ServiceError): CheckOutcome {
  const cause = error.code === status.UNAVAILABLE ? "network" : "answer";
  return failed(cause, `${status[error.code]}: ${error.details}`);
}

function answerOutcome(serving: number): CheckOutcome {
  const name = servingStatuses[serving] ?? String(serving);
  return name === "SERVING" ? { kind: "success", isDegraded: false } : failed("answer", name);
}

function writeRequest(serviceName: string): Buffer {
  const writer = new jspb.BinaryWriter();
  if (serviceName !== "") writer.writeString(1, serviceName);
  return Buffer.from(writer.getResultBuffer());
}

function readStatus(bytes: Buffer): number {
  const reader = new jspb.BinaryReader(bytes);
  let serving = 0;
  while (reader.nextField()) {
    if (reader.getFieldNumber() === 1) serving = reader.readEnum();
    else reader.skipField();
  }
  return serving;
}

function grpcAddress(address: SocketAddress): string {
  return address.kind === "ip" ? formatAddress(address) : `unix:${address.path}`;
}
