/**
 * Typed handlers for a service that is described in proto/: messages in, messages out, refusals as values. Decoding is
 * done here and not by grpc-js, whose answer to bytes that it cannot read is INTERNAL.
 */
import { create, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { messageOf } from "../../shared/common/errors.ts";
import { readBinary } from "../proto/binary.ts";
import { bytesMethod, type BytesMethod } from "../proto/discovery-services.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";

export interface Refusal {
  readonly ok: false;
  readonly code: status;
  /** A sentence for a person. */
  readonly details: string;
}

export type Answer<T extends Message> =
  | { readonly ok: true; readonly message: MessageInitShape<GenMessage<T>> }
  | Refusal;

/** The far end of a stream of answers. */
export interface AnswerStream<T extends Message> {
  /** It has not taken what was written. */
  readonly isSlow: boolean;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  write(message: MessageInitShape<GenMessage<T>>): void;
  end(refusal?: Refusal): void;
}

type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type StreamCall = ServerWritableStream<Buffer, Buffer>;

export interface UnaryMethod {
  readonly method: BytesMethod;
  readonly handler: (call: UnaryCall, reply: sendUnaryData<Buffer>) => void;
}

export interface StreamMethod {
  readonly method: BytesMethod;
  readonly handler: (call: StreamCall) => void;
}

export function refusal(code: status, details: string): Refusal {
  return { ok: false, code, details };
}

/** Methods of one service, whose messages are named `<Method>Request` and `<Method>Response` beside it. */
export class GrpcCalls {
  readonly #protos: ProtoRegistry;
  readonly #service: string;
  readonly #package: string;

  constructor(protos: ProtoRegistry, service: string) {
    this.#protos = protos;
    this.#service = service;
    this.#package = service.slice(0, service.lastIndexOf("."));
  }

  unary<Request extends Message, Response extends Message>(
    name: string,
    handle: (request: Request, signal: AbortSignal) => Promise<Answer<Response>> | Answer<Response>,
  ): UnaryMethod {
    const { read, write } = this.#wire<Request, Response>(name);
    const answer = async (call: UnaryCall): Promise<Answer<Response>> => {
      const request = read(call.request);
      return request.ok ? await handle(request.value, whenCancelled(call)) : request;
    };
    return {
      method: this.#method(name, false),
      handler: (call, reply) => {
        answer(call).then(
          (given) => {
            if (given.ok) reply(null, write(given.message));
            else reply({ code: given.code, details: given.details });
          },
          (thrown: unknown) => reply({ code: status.INTERNAL, details: messageOf(thrown) }),
        );
      },
    };
  }

  stream<Request extends Message, Response extends Message>(
    name: string,
    serve: (request: Request, stream: AnswerStream<Response>) => void,
  ): StreamMethod {
    const { read, write } = this.#wire<Request, Response>(name);
    return {
      method: this.#method(name, true),
      handler: (call) => {
        const end = (refused?: Refusal): void => {
          // `destroy` would leave the client waiting: only this event makes grpc-js send a status.
          if (refused) call.emit("error", { code: refused.code, details: refused.details });
          else call.end();
        };
        const request = read(call.request);
        if (!request.ok) return end(request);
        return serve(request.value, {
          get isSlow() {
            return call.writableNeedDrain;
          },
          signal: whenCancelled(call),
          write: (message) => void call.write(write(message)),
          end,
        });
      },
    };
  }

  #wire<Request extends Message, Response extends Message>(name: string) {
    const requestSchema = this.#schema<Request>(`${name}Request`);
    const responseSchema = this.#schema<Response>(`${name}Response`);
    return {
      read: (bytes: Buffer): { readonly ok: true; readonly value: Request } | Refusal => {
        const result = readBinary(requestSchema, bytes);
        return result.ok ? result : refusal(status.INVALID_ARGUMENT, result.errors.join("; "));
      },
      write: (message: MessageInitShape<GenMessage<Response>>): Buffer =>
        Buffer.from(toBinary(responseSchema, create(responseSchema, message))),
    };
  }

  #schema<T extends Message>(name: string): GenMessage<T> {
    return this.#protos.schema<T>(`${this.#package}.${name}`);
  }

  #method(name: string, responseStream: boolean): BytesMethod {
    return bytesMethod({ path: `/${this.#service}/${name}`, requestStream: false, responseStream });
  }
}

function whenCancelled(call: UnaryCall | StreamCall): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  call.on("cancelled", abort);
  // A client that goes away is no news.
  call.on("error", abort);
  call.on("close", abort);
  return controller.signal;
}
