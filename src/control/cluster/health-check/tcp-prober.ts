/** A check by TCP: a connection, and what comes over it. Each has a connection of its own. */
import type { Socket } from "node:net";
import type { TcpProbeConfig } from "../../config/health-check-config.ts";
import type { CheckOutcome } from "./check-state.ts";
import { containsInOrder } from "./expected-bytes.ts";
import { openProbeSocket } from "./probe-socket.ts";
import { type Prober, type ProbeTarget, failed } from "./prober.ts";

/** An answer that is longer than any check expects. */
const answerBytesMax = 64 * 1024;

export function tcpProber(config: TcpProbeConfig, target: ProbeTarget): Prober {
  return {
    probe: (onOutcome) => probe(config, target, onOutcome),
    [Symbol.dispose]: () => {},
  };
}

function probe(
  { payload, expected }: TcpProbeConfig,
  target: ProbeTarget,
  onOutcome: (outcome: CheckOutcome) => void,
): Disposable {
  let isOver = false;
  let socket: Socket | undefined;
  const end = (outcome?: CheckOutcome): void => {
    if (isOver) return;
    isOver = true;
    opening[Symbol.dispose]();
    socket?.destroy();
    if (outcome) onOutcome(outcome);
  };
  const fail = (error: Error): void => end(failed("network", error.message));
  const onOpen = (opened: Socket): void => {
    socket = opened;
    let received = Buffer.alloc(0);
    opened.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (expected.length > 0 && containsInOrder(received, expected))
        end({ kind: "success", isDegraded: false });
      else if (received.length > answerBytesMax)
        end(failed("answer", `nothing that is expected in ${received.length} bytes`));
    });
    opened.on("error", fail);
    opened.on("close", () => end(failed("network", "closed before what is expected came")));
    if (payload.length > 0) opened.write(payload);
    if (expected.length === 0) opened.end(() => end({ kind: "success", isDegraded: false }));
  };
  const opening = openProbeSocket(target, undefined, { onOpen, onFailure: fail });
  return { [Symbol.dispose]: () => end() };
}
