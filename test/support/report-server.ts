/**
 * A server of what proxies report: access logs and load. Messages are decoded by protobuf.js, which shares no
 * code with what encodes them.
 */
import { type ServerDuplexStream, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { createRequire } from "node:module";
import path from "node:path";
import { until } from "./until.ts";

const accessLogService = serviceOf("accesslog/v3/als", "accesslog.v3.AccessLogService");
const loadService = serviceOf("load_stats/v3/lrs", "load_stats.v3.LoadReportingService");

/** A message as JSON has it: names of the proto, enums by name, 64 bits as numbers. */
export type Message = Readonly<Record<string, unknown>>;

/** Reads one `StreamAccessLogsMessage`. */
export function readAccessLogs(bytes: Uint8Array): Message {
  return accessLogService["StreamAccessLogs"]?.requestDeserialize(Buffer.from(bytes)) as Message;
}

/** Reads one `LoadStatsRequest`. */
export function readLoadStats(bytes: Uint8Array): Message {
  return loadService["StreamLoadStats"]?.requestDeserialize(Buffer.from(bytes)) as Message;
}

/** Writes one `LoadStatsResponse`. */
export function writeLoadRequest(request: Message): Uint8Array {
  return loadService["StreamLoadStats"]?.responseSerialize(request) as Buffer;
}

/** One stream as the server sees it. */
export class ReportStream {
  readonly received: Message[] = [];
  readonly metadata: Readonly<Record<string, unknown>>;
  hasEnded = false;
  readonly #call: ServerDuplexStream<Message, Message>;

  constructor(call: ServerDuplexStream<Message, Message>) {
    this.#call = call;
    this.metadata = call.metadata.getMap();
    call.on("data", (message: Message) => this.received.push(message));
    call.on("end", () => this.#end());
    call.on("error", () => this.#end());
    call.on("cancelled", () => this.#end());
  }

  send(message: Message): void {
    this.#call.write(message);
  }

  /** Ends it with an error, as a server that is about to go does. */
  fail(): void {
    this.#call.emit("error", { code: 14, details: "going away" });
  }

  /** Reads no more: what the client sends stays with it. */
  pause(): void {
    this.#call.pause();
  }

  #end(): void {
    this.hasEnded = true;
  }
}

export class ReportServer implements AsyncDisposable {
  readonly port: number;
  /** In the order in which they were opened. */
  readonly accessLogs: ReportStream[] = [];
  readonly loads: ReportStream[] = [];
  readonly #server: Server;

  static async start(
    port = 0,
    credentials = ServerCredentials.createInsecure(),
  ): Promise<ReportServer> {
    const server = new Server();
    const streams = { accessLogs: [] as ReportStream[], loads: [] as ReportStream[] };
    const opened = (into: ReportStream[]) => (call: ServerDuplexStream<Message, Message>) =>
      void into.push(new ReportStream(call));
    server.addService(accessLogService, {
      StreamAccessLogs: opened(streams.accessLogs),
    });
    server.addService(loadService, {
      StreamLoadStats: opened(streams.loads),
    });
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, credentials, (error, at) =>
        error ? reject(error) : resolve(at),
      );
    });
    return new ReportServer(server, bound, streams);
  }

  private constructor(
    server: Server,
    port: number,
    streams: { readonly accessLogs: ReportStream[]; readonly loads: ReportStream[] },
  ) {
    this.#server = server;
    this.port = port;
    this.accessLogs = streams.accessLogs;
    this.loads = streams.loads;
  }

  /** The stream of that number, when it has come. */
  accessLog(index = 0): Promise<ReportStream> {
    return until(() => this.accessLogs[index], `access log stream ${index} is open`);
  }

  load(index = 0): Promise<ReportStream> {
    return until(() => this.loads[index], `load stream ${index} is open`);
  }

  /** All entries of all streams, in the order of their arrival on each. */
  entries(kind: "http_logs" | "tcp_logs"): readonly Message[] {
    return this.accessLogs
      .flatMap(({ received }) => received)
      .flatMap((message) => (message[kind] as { log_entry?: Message[] } | null)?.log_entry ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    await Promise.resolve();
  }
}

function serviceOf(file: string, service: string): ServiceDefinition {
  const require = createRequire(import.meta.url);
  const deps = path.join(path.dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const folders = ["envoy-api", "googleapis", "protoc-gen-validate", "xds"];
  const definitions = loadSync(`envoy/service/${file}.proto`, {
    keepCase: true,
    longs: Number,
    enums: String,
    includeDirs: folders.map((folder) => path.join(deps, folder)),
  });
  return definitions[`envoy.service.${service}`] as ServiceDefinition;
}
