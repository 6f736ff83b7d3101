/** A check by HTTP/1.1 (Envoy: `HttpHealthCheckerImpl`): one request, judged by status, headers and, if asked, body. */
import type { Agent as HttpAgent, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, request } from "../../../shared/common/node-http.ts";
import type { HttpProbeConfig, StatusRange } from "../../config/health-check-config.ts";
import { stringTest } from "../../../shared/tls/string-test.ts";
import type { CheckOutcome } from "./check-state.ts";
import { containsInOrder } from "./expected-bytes.ts";
import { type Prober, type ProbeTarget, failed } from "./prober.ts";
import { nodeAddress } from "./probe-socket.ts";
import { SecuredAgent } from "./secured-agent.ts";

/** What is read of a body at most; who sends more loses the connection, not the check. */
const bodyBytesReadMax = 1024 * 1024;
const headBytesMax = 60 * 1024;

export interface HttpProberOptions {
  readonly config: HttpProbeConfig;
  readonly target: ProbeTarget;
  readonly reuseConnection: boolean;
  /** A service name is about to be compared (`health_check.verify_cluster`). */
  readonly onVerify: () => void;
}

export class HttpProber implements Prober {
  readonly #options: HttpProberOptions;
  readonly #agent: HttpAgent;
  readonly #headers: readonly string[];
  readonly #isExpectedService: ((name: string) => boolean) | undefined;

  constructor(options: HttpProberOptions) {
    const { config, target, reuseConnection } = options;
    this.#options = options;
    const sockets = { keepAlive: reuseConnection, maxSockets: 1, maxFreeSockets: 1 };
    this.#agent = target.security ? new SecuredAgent(sockets, target) : new Agent(sockets);
    this.#headers = headersOf(config, target);
    this.#isExpectedService = config.serviceName && stringTest(config.serviceName);
  }

  probe(onOutcome: (outcome: CheckOutcome) => void): Disposable {
    const { config, target } = this.#options;
    const address = nodeAddress(target.address);
    const outgoing = request({
      ...("path" in address ? { socketPath: address.path } : address),
      agent: this.#agent,
      method: config.method,
      path: config.path,
      headers: this.#headers,
      setHost: false,
      maxHeaderSize: headBytesMax,
    });
    let isOver = false;
    const end = (outcome: CheckOutcome): void => {
      if (isOver) return;
      isOver = true;
      onOutcome(outcome);
    };
    outgoing.on("error", (error) => end(failed("network", error.message)));
    outgoing.on("response", (response) => this.#read(response, end));
    outgoing.end(config.payload.length > 0 ? config.payload : undefined);
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        outgoing.destroy();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #read(response: IncomingMessage, end: (outcome: CheckOutcome) => void): void {
    const { bodyBytesMax } = this.#options.config;
    const kept: Buffer[] = [];
    let bytes = 0;
    const judge = (): void => {
      const body = Buffer.concat(kept).subarray(0, bodyBytesMax);
      end(this.#outcomeOf(response.statusCode ?? 0, response.headers, body));
    };
    response.on("data", (chunk: Buffer) => {
      if (bytes < bodyBytesMax) kept.push(chunk);
      bytes += chunk.length;
      if (bytes <= bodyBytesReadMax) return;
      judge();
      response.destroy();
    });
    response.on("end", judge);
    response.on("error", (error) => end(failed("network", error.message)));
  }

  #outcomeOf(status: number, headers: IncomingHttpHeaders, body: Buffer): CheckOutcome {
    const { config, onVerify } = this.#options;
    if (!isWithin(status, config.expectedStatuses))
      return {
        ...failed("answer", `status ${status}`),
        isRetriable: isWithin(status, config.retriableStatuses),
        isImmediate: "x-envoy-immediate-health-check-fail" in headers,
      };
    if (!containsInOrder(body, config.expectedBody))
      return failed("answer", "the body is not what is expected");
    if (this.#isExpectedService) {
      onVerify();
      const name = String(headers["x-envoy-upstream-healthchecked-cluster"] ?? "");
      if (!this.#isExpectedService(name)) return failed("answer", `it is service '${name}'`);
    }
    return { kind: "success", isDegraded: "x-envoy-degraded" in headers };
  }
}

function isWithin(status: number, ranges: readonly StatusRange[]): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}

/** Names and values in turn, so that a name may come twice. */
function headersOf(config: HttpProbeConfig, target: ProbeTarget): readonly string[] {
  const { headers, headersRemoved, payload } = config;
  const host = target.hostname || config.host || target.clusterName;
  const agent = headersRemoved.includes("user-agent") ? [] : ["user-agent", "Envoy/HC"];
  const length = payload.length > 0 ? ["content-length", String(payload.length)] : [];
  return [
    "host",
    host,
    ...agent,
    ...length,
    ...headers.flatMap(({ name, value }) => [name, value]),
  ];
}
