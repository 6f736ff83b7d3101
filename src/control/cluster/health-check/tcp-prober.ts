/** A check by TCP: a connection, and what comes over it. Each has a connection of its own. */
import { connect } from "node:net";
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { TcpProbeConfig } from "../../config/health-check-config.ts";
import type { CheckOutcome } from "./check-state.ts";
import { containsInOrder } from "./expected-bytes.ts";
import { type Prober, type ProbeTarget, failed } from "./prober.ts";

/** An answer that is longer than any check expects. */
const answerBytesMax = 64 * 1024;

export function tcpProber(config: TcpProbeConfig, { address }: ProbeTarget): Prober {
  return {
    probe: (onOutcome) => probe(config, address, onOutcome),
    [Symbol.dispose]: () => {},
  };
}

function probe(
  { payload, expected }: TcpProbeConfig,
  address: SocketAddress,
  onOutcome: (outcome: CheckOutcome) => void,
): Disposable {
  const socket = connect(nodeAddress(address));
  let isOver = false;
  const end = (outcome?: CheckOutcome): void => {
    if (isOver) return;
    isOver = true;
    socket.destroy();
    if (outcome) onOutcome(outcome);
  };
  let received = Buffer.alloc(0);
  socket.on("connect", () => {
    if (payload.length > 0) socket.write(payload);
    if (expected.length === 0) socket.end(() => end({ kind: "success", isDegraded: false }));
  });
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (expected.length > 0 && containsInOrder(received, expected))
      end({ kind: "success", isDegraded: false });
    else if (received.length > answerBytesMax)
      end(failed("answer", `nothing that is expected in ${received.length} bytes`));
  });
  socket.on("error", (error) => end(failed("network", error.message)));
  socket.on("close", () => end(failed("network", "closed before what is expected came")));
  return { [Symbol.dispose]: () => end() };
}

/** As `node:net` and `node:http` want it; Node writes an abstract name with a zero byte in front. */
export function nodeAddress(
  address: SocketAddress,
): { readonly host: string; readonly port: number } | { readonly path: string } {
  return address.kind === "ip"
    ? { host: address.ip, port: address.port }
    : { path: address.path.replace(/^@/, "\0") };
}
