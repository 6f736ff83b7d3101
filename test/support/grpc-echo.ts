/** gRPC's own library on both sides: a service with every kind of call, and its client. */
import * as grpc from "@grpc/grpc-js";

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  ...bytes,
});
export const echoService = {
  unary: method("Unary", false, false),
  collect: method("Collect", true, false),
  spread: method("Spread", false, true),
  chat: method("Chat", true, true),
  fail: method("Fail", false, false),
  never: method("Never", false, false),
  flaky: method("Flaky", false, false),
  /** Says what metadata came, in its own and in its trailers. */
  reflect: method("Reflect", false, false),
};
export type EchoMethod = keyof typeof echoService;

const EchoClient = grpc.makeGenericClientConstructor(echoService, "test.Echo");

export interface EchoServer extends Disposable {
  readonly port: number;
  /** A call of `never` has come; it, or a later one, was given up. */
  readonly asked: Promise<void>;
  readonly cancelled: Promise<void>;
}

export async function startEcho(
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<EchoServer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const asked = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  let flaky = 0;
  server.addService(echoService, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const trailers = new grpc.Metadata();
      trailers.set("x-trailer", "there");
      done(null, call.request, trailers);
    },
    collect: (
      call: grpc.ServerReadableStream<Buffer, Buffer>,
      done: grpc.sendUnaryData<Buffer>,
    ) => {
      const parts: Buffer[] = [];
      call.on("data", (part: Buffer) => parts.push(part));
      call.on("end", () => done(null, Buffer.concat(parts)));
    },
    spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let i = 0; i < 100; i++) call.write(Buffer.from(`${call.request.toString()}${i}`));
      call.end();
    },
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (part: Buffer) => call.write(part));
      call.on("end", () => call.end());
    },
    fail: (_: unknown, done: grpc.sendUnaryData<Buffer>) => {
      const metadata = new grpc.Metadata();
      metadata.set("grpc-status-details-bin", Buffer.from([0, 1, 0xff]));
      done({ code: grpc.status.NOT_FOUND, details: "nothing like it: 100%, süß", metadata });
    },
    never: (call: grpc.ServerUnaryCall<Buffer, Buffer>) => {
      call.on("cancelled", () => cancelled.resolve());
      asked.resolve();
    },
    flaky: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      if (flaky++ === 0) done({ code: grpc.status.UNAVAILABLE, details: "not now" });
      else done(null, call.request);
    },
    reflect: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const seen = new grpc.Metadata();
      for (const name of ["x-text", "x-bytes-bin"])
        for (const value of call.metadata.get(name)) seen.add(name, value);
      call.sendMetadata(seen);
      done(null, call.request, seen);
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    port,
    asked: asked.promise,
    cancelled: cancelled.promise,
    [Symbol.dispose]: () => server.forceShutdown(),
  };
}

export type Unary = (
  value: Buffer,
  options: grpc.CallOptions,
  done: (error: grpc.ServiceError | null, value?: Buffer) => void,
) => grpc.ClientUnaryCall;

export class Echo implements Disposable {
  readonly client: grpc.Client & Record<string, unknown>;

  constructor(port: number, credentials = grpc.credentials.createInsecure()) {
    this.client = new EchoClient(`127.0.0.1:${port}`, credentials, {
      "grpc.max_receive_message_length": -1,
    }) as unknown as grpc.Client & Record<string, unknown>;
  }

  call<F>(name: EchoMethod): F {
    return (this.client[name] as (...args: unknown[]) => unknown).bind(this.client) as F;
  }

  unary(name: EchoMethod, value: Buffer, options: grpc.CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) =>
      this.call<Unary>(name)(value, options, (error, answer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      ),
    );
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}
