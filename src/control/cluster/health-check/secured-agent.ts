/** Connections for HTTP checks under TLS: Node's agent, with sockets that are secured as the cluster says. */
import type { AgentOptions } from "node:http";
import { Agent } from "../../../shared/common/node-http.ts";
import type { Duplex } from "node:stream";
import { openProbeSocket } from "./probe-socket.ts";
import type { ProbeTarget } from "./prober.ts";

export class SecuredAgent extends Agent {
  readonly #target: ProbeTarget;
  #opening: Disposable | undefined;

  constructor(options: AgentOptions, target: ProbeTarget) {
    super(options);
    this.#target = target;
  }

  override createConnection(
    _options: unknown,
    callback: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#opening = openProbeSocket(this.#target, "http/1.1", {
      onOpen: (socket) => callback(null, socket),
      // Node looks at the error alone.
      onFailure: (error) => (callback as (error: Error) => void)(error),
    });
  }

  override destroy(): void {
    this.#opening?.[Symbol.dispose]();
    super.destroy();
  }
}
