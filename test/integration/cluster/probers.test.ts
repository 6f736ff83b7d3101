import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import {
  Server as GrpcServer,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { CheckOutcome } from "../../../src/control/cluster/health-check/check-state.ts";
import { createProber } from "../../../src/control/cluster/health-check/create-prober.ts";
import type { Prober } from "../../../src/control/cluster/health-check/prober.ts";
import type {
  GrpcProbeConfig,
  HttpProbeConfig,
  ProbeConfig,
  TcpProbeConfig,
} from "../../../src/control/config/health-check-config.ts";
import type { SocketSecurity } from "../../../src/control/xds/socket-security.ts";
import { freePort } from "../../support/free-port.ts";
import { httpCheck } from "../../support/health-checks.ts";
import { startUpstream } from "../../support/tcp-peers.ts";

function proberTo(
  port: number,
  probe: ProbeConfig,
  rest: {
    reuseConnection?: boolean;
    hostname?: string;
    onVerify?: () => void;
    security?: SocketSecurity;
  } = {},
): Prober {
  const { reuseConnection = true, hostname = "", onVerify = () => {}, security } = rest;
  const check = { ...httpCheck(), probe, reuseConnection };
  const address = { kind: "ip", ip: "127.0.0.1", port } as const;
  return createProber(check, { address, clusterName: "c", hostname, security }, onVerify);
}

function outcomeOf(prober: Prober): Promise<CheckOutcome> {
  return new Promise((resolve) => {
    const check = prober.probe((outcome) => {
      // As a session does at its end.
      check[Symbol.dispose]();
      resolve(outcome);
    });
  });
}

/** `good`, or why not. */
async function verdict(prober: Prober): Promise<string> {
  const outcome = await outcomeOf(prober);
  if (outcome.kind === "success") return outcome.isDegraded ? "degraded" : "good";
  return `${outcome.cause}: ${outcome.reason}`;
}

const http = (fields: Partial<HttpProbeConfig> = {}): ProbeConfig => httpCheck(fields).probe;

class Upstream implements AsyncDisposable {
  readonly requests: { readonly method: string; readonly head: readonly string[]; body: string }[] =
    [];
  connections = 0;
  readonly #server: Server;

  private constructor(respond: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#server = createServer((request, response) => {
      const { method = "", url = "", rawHeaders } = request;
      const seen = { method: `${method} ${url}`, head: rawHeaders, body: "" };
      this.requests.push(seen);
      request.on("data", (chunk) => (seen.body += String(chunk)));
      request.on("end", () => respond(request, response));
    });
    this.#server.on("connection", () => this.connections++);
  }

  static async start(
    respond: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<Upstream> {
    const upstream = new Upstream(respond);
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

test("an HTTP check says what Envoy's says, over one connection or one each", async () => {
  await using upstream = await Upstream.start((_, response) => response.end("fine"));
  const headers = [{ name: "x-a", value: "b" }];
  {
    using prober = proberTo(upstream.port, http({ headers }));
    assert.equal(await verdict(prober), "good");
    assert.equal(await verdict(prober), "good");
  }
  assert.equal(upstream.connections, 1);
  const [first] = upstream.requests;
  assert.equal(first?.method, "GET /hc");
  const head = first.head.slice(0, 6);
  assert.deepEqual(head, ["host", "c", "user-agent", "Envoy/HC", "x-a", "b"]);

  using each = proberTo(upstream.port, http({ host: "own" }), { reuseConnection: false });
  assert.deepEqual([await verdict(each), await verdict(each)], ["good", "good"]);
  assert.equal(upstream.connections, 3);
  assert.equal(upstream.requests.at(-1)?.head[1], "own");
  using named = proberTo(upstream.port, http({ host: "own" }), { hostname: "endpoint" });
  await verdict(named);
  assert.equal(upstream.requests.at(-1)?.head[1], "endpoint");
});

test("an HTTP check is judged by status, headers and body", async () => {
  let answer: { readonly status: number; readonly headers?: Record<string, string> } = {
    status: 200,
  };
  await using upstream = await Upstream.start((_, response) => {
    response.writeHead(answer.status, answer.headers).end("head-tail");
  });
  const judge = async (fields: Partial<HttpProbeConfig> = {}): Promise<string> => {
    using prober = proberTo(upstream.port, http(fields));
    return await verdict(prober);
  };
  const body = (...parts: readonly string[]) => parts.map((part) => Buffer.from(part));
  assert.equal(await judge({ expectedBody: body("head", "tail") }), "good");
  assert.match(await judge({ expectedBody: body("tail", "head") }), /^answer: the body/);
  assert.match(await judge({ expectedBody: body("tail"), bodyBytesMax: 4 }), /^answer: the body/);
  answer = { status: 503, headers: { "x-envoy-immediate-health-check-fail": "true" } };
  using prober = proberTo(upstream.port, http({ retriableStatuses: [{ start: 503, end: 504 }] }));
  assert.deepEqual(await outcomeOf(prober), {
    kind: "failure",
    cause: "answer",
    reason: "status 503",
    isRetriable: true,
    isImmediate: true,
  });
  assert.equal(await judge({ expectedStatuses: [{ start: 500, end: 600 }] }), "good");
  answer = { status: 200, headers: { "x-envoy-degraded": "" } };
  assert.equal(await judge(), "degraded");
});

test("an HTTP check asks for the service's name if told, and counts that", async () => {
  await using upstream = await Upstream.start((_, response) => {
    response.setHeader("x-envoy-upstream-healthchecked-cluster", "edge-1").end();
  });
  let verified = 0;
  const judge = async (value: string): Promise<string> => {
    const serviceName = { kind: "prefix", value, ignoreCase: false } as const;
    using prober = proberTo(upstream.port, http({ serviceName }), { onVerify: () => verified++ });
    return await verdict(prober);
  };
  assert.equal(await judge("edge"), "good");
  assert.equal(await judge("core"), "answer: it is service 'edge-1'");
  assert.equal(verified, 2);
});

test("an HTTP check sends its payload and bears a body without end", async () => {
  await using upstream = await Upstream.start((_, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(64 * 1024)));
    };
    response.on("drain", more);
    more();
  });
  const payload = Buffer.from("ping");
  using prober = proberTo(upstream.port, http({ method: "POST", payload }));
  assert.equal(await verdict(prober), "good");
  assert.deepEqual(upstream.requests[0]?.method, "POST /hc");
  assert.equal(upstream.requests[0]?.body, "ping");
});

test("without an answer an HTTP check is a failure of the network; disposed it says nothing", async () => {
  await using upstream = await Upstream.start((request) => void request.socket.destroy());
  using reset = proberTo(upstream.port, http());
  assert.match(await verdict(reset), /^network: /);
  using refused = proberTo(await freePort(), http());
  assert.match(await verdict(refused), /^network: .*ECONNREFUSED/);
  await using silent = await Upstream.start(() => {});
  const outcomes: CheckOutcome[] = [];
  using prober = proberTo(silent.port, http());
  const check = prober.probe((outcome) => void outcomes.push(outcome));
  while (silent.requests.length === 0) await new Promise(setImmediate);
  check[Symbol.dispose]();
  await silent[Symbol.asyncDispose]();
  assert.deepEqual(outcomes, []);
  await using again = await Upstream.start((_, response) => response.end());
  using next = proberTo(again.port, http());
  assert.equal(await verdict(next), "good");
});

test("a TCP check is a connection, or what comes over it", async () => {
  const tcp = (payload: string, ...expected: readonly string[]): TcpProbeConfig => ({
    kind: "tcp",
    payload: Buffer.from(payload),
    expected: expected.map((part) => Buffer.from(part)),
  });
  await using echo = await startUpstream();
  await using closing = await startUpstream((socket) => void socket.end("bye"));
  await using flood = await startUpstream((socket) => void socket.write(Buffer.alloc(1 << 20)));
  const judge = async (port: number, probe: TcpProbeConfig): Promise<string> => {
    using prober = proberTo(port, probe);
    return await verdict(prober);
  };
  assert.equal(await judge(echo.port, tcp("")), "good");
  assert.equal(await judge(echo.port, tcp("ping", "pi", "g")), "good");
  assert.equal(await judge(closing.port, tcp("", "bye")), "good");
  assert.match(await judge(closing.port, tcp("", "hello")), /^network: closed/);
  assert.match(await judge(flood.port, tcp("", "hello")), /^answer: nothing that is expected/);
  assert.match(await judge(await freePort(), tcp("")), /^network: .*ECONNREFUSED/);
});

test("a gRPC check asks the health service, with name, authority and metadata", async () => {
  let status = 1;
  const asked: { readonly service: string; readonly authority: string; readonly tag: unknown }[] =
    [];
  const server = new GrpcServer();
  const bytes = (value: Buffer): Buffer => value;
  const check = {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  server.addService(
    { check },
    {
      check: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const [tag] = call.metadata.get("x-tag");
        asked.push({
          service: call.request.subarray(2).toString(),
          authority: call.getHost(),
          tag,
        });
        if (status === 5) done({ code: 5, details: "unknown service" });
        else done(null, Buffer.from([8, status]));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const config: GrpcProbeConfig = {
    kind: "grpc",
    serviceName: "edge",
    authority: "auth",
    metadata: [{ name: "x-tag", value: "t" }],
  };
  try {
    using prober = proberTo(port, config);
    assert.equal(await verdict(prober), "good");
    assert.deepEqual(asked, [{ service: "edge", authority: "auth", tag: "t" }]);
    status = 2;
    assert.equal(await verdict(prober), "answer: NOT_SERVING");
    status = 5;
    assert.equal(await verdict(prober), "answer: NOT_FOUND: unknown service");
    status = 1;
    assert.equal(await verdict(prober), "good");
  } finally {
    server.forceShutdown();
  }
  using refused = proberTo(await freePort(), config);
  assert.match(await verdict(refused), /^network: UNAVAILABLE/);
});
