/** HotRestartMessage to bytes and back, through the descriptors like every other message. */
import { create, toBinary } from "@bufbuild/protobuf";
import type {
  HotRestartMessage,
  Reply,
  Request,
} from "../../../gen/es/sluice/hotrestart/v1/hot_restart_pb.d.ts";
import { type ReadResult, readBinary } from "../proto/binary.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";

export type { HotRestartMessage, Reply, Request };

export type HotRestartRequest = Exclude<Request["request"], { case: undefined }>;
export type HotRestartReply = Exclude<Reply["reply"], { case: undefined }>;
/** Requests without content. */
export type PlainRequest = Exclude<HotRestartRequest["case"], "passListenSocket">;

export const generationStat = "server.hot_restart_generation";

export class MessageCodec {
  readonly #protos: ProtoRegistry;

  constructor(protos: ProtoRegistry) {
    this.#protos = protos;
  }

  plainRequest(kind: PlainRequest): Uint8Array {
    const value = create(this.#protos.schema("sluice.hotrestart.v1.Empty"));
    return this.#request({ case: kind, value } as HotRestartRequest);
  }

  passListenSocket(address: string, workerIndex: number): Uint8Array {
    const schema = this.#protos.schema<
      Extract<HotRestartRequest, { case: "passListenSocket" }>["value"]
    >("sluice.hotrestart.v1.Request.PassListenSocket");
    return this.#request({
      case: "passListenSocket",
      value: create(schema, { address, workerIndex }),
    });
  }

  listenSocketReply(fd: number): Uint8Array {
    const schema = this.#protos.schema<
      Extract<HotRestartReply, { case: "passListenSocket" }>["value"]
    >("sluice.hotrestart.v1.Reply.PassListenSocket");
    return this.#reply({ case: "passListenSocket", value: create(schema, { fd }) });
  }

  shutdownAdminReply(startedS: number): Uint8Array {
    const schema = this.#protos.schema<
      Extract<HotRestartReply, { case: "shutdownAdmin" }>["value"]
    >("sluice.hotrestart.v1.Reply.ShutdownAdmin");
    const value = create(schema, {
      originalStartTimeUnixSeconds: BigInt(startedS),
      enableReusePortDefault: true,
    });
    return this.#reply({ case: "shutdownAdmin", value });
  }

  statsReply(stats: {
    readonly memoryAllocated: bigint;
    readonly numConnections: bigint;
    readonly counterDeltas: Record<string, bigint>;
    readonly gauges: Record<string, bigint>;
  }): Uint8Array {
    const schema = this.#protos.schema<Extract<HotRestartReply, { case: "stats" }>["value"]>(
      "sluice.hotrestart.v1.Reply.Stats",
    );
    // Envoy imports a gauge that it does not keep itself only where its words are marked as dynamic.
    const spans = [{ first: 0, last: 1 }];
    const value = create(schema, { ...stats, dynamics: { [generationStat]: { spans } } });
    return this.#reply({ case: "stats", value });
  }

  notRecognized(): Uint8Array {
    const schema = this.#schema();
    return toBinary(schema, create(schema, { didntRecognizeYourLastMessage: true }));
  }

  /** Says nothing. */
  empty(): HotRestartMessage {
    return create(this.#schema());
  }

  read(bytes: Uint8Array): ReadResult<HotRestartMessage> {
    return readBinary(this.#schema(), bytes);
  }

  #request(request: HotRestartRequest): Uint8Array {
    const value = create(this.#protos.schema<Request>("sluice.hotrestart.v1.Request"), { request });
    const schema = this.#schema();
    return toBinary(schema, create(schema, { requestreply: { case: "request", value } }));
  }

  #reply(reply: HotRestartReply): Uint8Array {
    const value = create(this.#protos.schema<Reply>("sluice.hotrestart.v1.Reply"), { reply });
    const schema = this.#schema();
    return toBinary(schema, create(schema, { requestreply: { case: "reply", value } }));
  }

  #schema() {
    return this.#protos.schema<HotRestartMessage>("sluice.hotrestart.v1.HotRestartMessage");
  }
}
