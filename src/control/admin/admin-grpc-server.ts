/**
 * What the proxy serves over gRPC on `--admin-grpc-address`: client status (CSDS), drains, and reflection for whoever asks
 * what there is. Nobody is authenticated, as on the admin: it is off by default.
 */
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { messageOf } from "../../shared/common/errors.ts";
import type { BytesMethod } from "../proto/discovery-services.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { addReflectionService, reflectionServices } from "../proto/reflection-service.ts";

/** Requests are a few fields; the longest is CSDS's, a node. */
const requestBytesMax = 64 * 1024;
/** Calls at once on one connection. */
const callsMax = 16;

export interface AdminGrpcService {
  /** In full: `sluice.drain.v1.DrainService`. */
  readonly name: string;
  readonly methods: Readonly<Record<string, BytesMethod>>;
  /** By the same names. */
  readonly handlers: UntypedServiceImplementation;
}

export interface AdminGrpcServerOptions {
  /** `host:port` or `unix:path`; port 0 takes a free one. */
  readonly address: string;
  readonly protos: ProtoRegistry;
  readonly services: readonly AdminGrpcService[];
}

export class AdminGrpcServer implements Disposable {
  readonly #server: Server;
  /** As bound. */
  readonly address: string;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /** Bound and serving, or the reason why it cannot. */
  static async listen(options: AdminGrpcServerOptions): Promise<AdminGrpcServer | string> {
    const { address, protos, services } = options;
    const server = new Server({
      "grpc.max_receive_message_length": requestBytesMax,
      "grpc.max_concurrent_streams": callsMax,
    });
    for (const { methods, handlers } of services) server.addService(methods, handlers);
    const names = [...services.map(({ name }) => name), ...reflectionServices];
    addReflectionService(server, new Set(names), protos);
    const { promise, resolve } = Promise.withResolvers<number | string>();
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      resolve(error ? messageOf(error) : port),
    );
    const bound = await promise;
    if (typeof bound === "string") return `cannot bind '${address}': ${bound}`;
    return new AdminGrpcServer(server, address.replace(/:0$/, `:${bound}`));
  }

  /** Cuts what is open. */
  [Symbol.dispose](): void {
    this.#server.forceShutdown();
  }
}
