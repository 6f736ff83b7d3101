/**
 * A program that plays one side of a hot restart by hand and is killed at the message it is told to: between any two
 * messages, before or after the answer. What it held is then as after any `kill -9`.
 */
import { once } from "node:events";
import { MessageCodec } from "../../src/control/hot-restart/message-codec.ts";
import { MessageSocket } from "../../src/control/hot-restart/message-socket.ts";
import {
  type HotRestartRole,
  addressText,
  socketName,
} from "../../src/control/hot-restart/socket-names.ts";
import { createProtoRegistry } from "../../src/control/proto/proto-registry.ts";
import { systemClock } from "../../src/shared/common/clock.ts";
import { DescriptorSocket } from "../../src/shared/io/descriptor-socket.ts";
import { createEpollListenSockets } from "../../src/shared/io/epoll-listen-sockets.ts";
import { plainListen } from "./reactors.ts";
import { silentLogger } from "./silent-logger.ts";

export const mortalSteps = [
  "testConnection",
  "passListenSocket",
  "shutdownAdmin",
  "drainListeners",
  "stats",
  "terminate",
] as const;
export type MortalStep = (typeof mortalSteps)[number];

export interface MortalPart {
  readonly role: HotRestartRole;
  readonly baseId: number;
  readonly epoch: number;
  readonly port: number;
  readonly diesAt: MortalStep;
  /** A child has the answer; a parent has sent it. */
  readonly isAnswered: boolean;
}

const part = JSON.parse(process.argv[2] ?? "") as MortalPart;
const address = { kind: "ip", ip: "127.0.0.1", port: part.port } as const;
const codec = new MessageCodec(createProtoRegistry());

function named(role: HotRestartRole, epoch: number): string {
  const { baseId } = part;
  return socketName({ socketPath: "@envoy_domain_socket", baseId }, role, epoch);
}

function bound(role: HotRestartRole): MessageSocket {
  const result = DescriptorSocket.bind(named(role, part.epoch), 0o600);
  if (!result.ok) throw new Error(`errno ${result.errno}`);
  const uid = process.getuid?.() ?? 0;
  return new MessageSocket(result.socket, { codec, clock: systemClock, log: silentLogger, uid });
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

async function beChild(): Promise<void> {
  const socket = bound("child");
  const events = new EventTarget();
  socket.onMessage(() => events.dispatchEvent(new Event("reply")));
  const isAnswered = new Set<MortalStep>(["passListenSocket", "shutdownAdmin", "stats"]);
  for (const step of mortalSteps) {
    const reply = once(events, "reply");
    const request =
      step === "passListenSocket"
        ? codec.passListenSocket(addressText(address), 0)
        : codec.plainRequest(step);
    await socket.send(named("parent", part.epoch - 1), request);
    if (step === part.diesAt && !part.isAnswered) return die();
    if (isAnswered.has(step)) await reply;
    if (step === part.diesAt) return die();
  }
}

async function beParent(): Promise<void> {
  const opened = await createEpollListenSockets().openListenSocket(address, plainListen);
  if (!opened.ok) throw new Error(opened.error);
  opened.socket.startListening();
  const socket = bound("parent");
  bound("child");
  const child = named("child", part.epoch + 1);
  socket.onMessage(({ requestreply }) => {
    if (requestreply.case !== "request") return;
    const step = requestreply.value.request.case;
    const dies = step === part.diesAt;
    if (dies && !part.isAnswered) return die();
    void answer(step).then(() => {
      if (dies) die();
    });
  });
  process.stdout.write("ready\n");

  async function answer(step: MortalStep | undefined): Promise<unknown> {
    const stats = { memoryAllocated: 0n, numConnections: 0n, counterDeltas: {}, gauges: {} };
    if (step === "passListenSocket") {
      const { handle } = opened.ok ? opened.socket.ref : { handle: 0 };
      return socket.send(child, codec.listenSocketReply(handle), handle);
    }
    if (step === "shutdownAdmin") return socket.send(child, codec.shutdownAdminReply(1));
    if (step === "stats") return socket.send(child, codec.statsReply(stats));
    if (step === "terminate") return process.exit(0);
    return undefined;
  }
}

await (part.role === "child" ? beChild() : beParent());
