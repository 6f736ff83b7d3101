/**
 * A program that plays one side of a hand-over by a directory by hand and is killed at the step it is told to. What it held
 * is then as after any `kill -9`.
 */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { greeting, servesByte } from "../../src/control/hot-restart/handover/directory.ts";
import {
  MessageReader,
  encodeMessage,
  handoverVersion,
} from "../../src/control/hot-restart/handover/messages.ts";
import { movesVersion } from "../../src/control/hot-restart/moves/move-messages.ts";
import { addressText } from "../../src/control/hot-restart/socket-names.ts";
import { DescriptorServer, DescriptorStream } from "../../src/shared/io/descriptor-stream.ts";
import { createEpollListenSockets } from "../../src/shared/io/epoll-listen-sockets.ts";
import { plainListen } from "./reactors.ts";

/** The first is what it does before it dies. */
export const newSteps = [
  "bound",
  "dialed",
  "greeted",
  "given",
  "serves",
  "marked",
  "released",
  "reachable",
  "moving",
] as const;
export const oldSteps = ["dialed", "greeted", "connected", "half", "given", "released"] as const;

export interface MortalHandover {
  readonly role: "new" | "old";
  readonly dir: string;
  readonly port: number;
  /** Of the new one's listener; absent: it is another than the old one's. */
  readonly hash?: string;
  readonly diesAt: (typeof newSteps)[number] | (typeof oldSteps)[number];
}

const part = JSON.parse(process.argv[2] ?? "") as MortalHandover;
const reconfigPath = `${part.dir}/reconfig.sock`;
const listenPath = `${part.dir}/listen.sock`;
const address = { kind: "ip", ip: "127.0.0.1", port: part.port } as const;

function reached(step: MortalHandover["diesAt"]): void {
  if (step === part.diesAt) process.kill(process.pid, "SIGKILL");
}

function served(path: string): DescriptorServer {
  const server = DescriptorServer.listen(path, 0o600, true);
  if (typeof server === "number") throw new Error(`errno ${server} at ${path}`);
  return server;
}

function dialed(path: string): DescriptorStream {
  const stream = DescriptorStream.connect(path);
  if (typeof stream === "number") throw new Error(`errno ${stream} at ${path}`);
  return stream;
}

async function isWelcome(): Promise<boolean> {
  const caller = dialed(reconfigPath);
  reached("dialed");
  const greeted = Promise.withResolvers<boolean>();
  caller.onPiece((piece) =>
    greeted.resolve(piece.kind === "bytes" && piece.bytes[0] === greeting.yours),
  );
  return await greeted.promise;
}

async function beNew(): Promise<void> {
  const heard = new EventTarget();
  const server = served(listenPath);
  const came = Promise.withResolvers<DescriptorStream>();
  const reader = new MessageReader();
  let count = 0;
  server.onStream((stream) => {
    stream.onPiece((piece) => {
      const read = piece.kind === "bytes" ? reader.read(piece.bytes) : undefined;
      for (const message of read?.ok ? read.messages : []) {
        if (message.kind === "sockets") count += message.sockets.length;
        if (message.kind === "sockets" && count < message.total) continue;
        heard.dispatchEvent(new Event(message.kind));
      }
    });
    came.resolve(stream);
  });
  const [sockets, released] = [once(heard, "sockets"), once(heard, "released")];
  reached("bound");
  // The old one may not have missed yet the one that was killed before.
  while (!(await isWelcome())) await pause(20);
  reached("greeted");
  await sockets;
  reached("given");
  const stream = await came.promise;
  stream.send(Uint8Array.of(servesByte));
  reached("serves");
  const moving = once(heard, "connections");
  const listeners = [{ address: addressText(address), hash: part.hash ?? "another" }];
  stream.send(encodeMessage({ kind: "accepts", version: movesVersion, listeners, isLast: true }));
  reached("marked");
  await released;
  reached("released");
  served(reconfigPath);
  reached("reachable");
  await moving;
  reached("moving");
}

async function beOld(): Promise<void> {
  const opened = await createEpollListenSockets().openListenSocket(address, plainListen);
  if (!opened.ok) throw new Error(opened.error);
  opened.socket.startListening();
  const server = served(reconfigPath);
  server.onStream((caller) => {
    reached("dialed");
    caller.send(Uint8Array.of(greeting.yours));
    reached("greeted");
    const stream = dialed(listenPath);
    reached("connected");
    const one = { address: addressText(address), worker: 0, role: "proxy" } as const;
    const frame = encodeMessage({
      kind: "sockets",
      version: handoverVersion,
      total: 1,
      sockets: [one],
    });
    const half = frame.length >> 1;
    stream.send(frame.subarray(0, half), [opened.socket.ref.handle]);
    reached("half");
    stream.send(frame.subarray(half));
    reached("given");
    stream.onPiece((piece) => {
      if (piece.kind !== "bytes" || piece.bytes[0] !== servesByte) return;
      stream.send(encodeMessage({ kind: "released" }));
      reached("released");
    });
  });
  process.stdout.write("ready\n");
}

await (part.role === "new" ? beNew() : beOld());
