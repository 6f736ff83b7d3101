import path from "node:path";
import { completedStreams, h2loadCommand, receivedBytes } from "../load/h2load.ts";
import { type Command, runLoad } from "../measure/pinned-process.ts";
import { envoy, sluice } from "../proxies/envoy.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { nginx } from "../proxies/nginx.ts";
import type { CostCase, Suite } from "./suite.ts";

const messageBytes = 128;

/** gRPC over HTTP/2 on both sides, to a server that echoes: unary calls, and streams of a hundred messages. */
export const grpcSuite: Suite = {
  contenders: {
    sluice: () => sluice("h2c-both"),
    envoy: () => envoy("h2c-both"),
    nginx: () => nginx("grpc", "default"),
    haproxy: () => haproxy("h2c-both", "default"),
  },
  cases: [unary(), stream()],
  backend: (_folder, port) => ({
    program: process.execPath,
    args: [script("grpc-backend.ts"), String(port)],
  }),
};

function unary(): CostCase {
  const message = Buffer.alloc(5 + messageBytes, "x");
  message.writeUInt8(0);
  message.writeUInt32BE(messageBytes, 1);
  const fields = ["content-type: application/grpc", "te: trailers"];
  const load = { path: "echo", connections: 10, streams: 10, post: message, fields } as const;
  return {
    kind: "cost",
    name: "unary",
    unit: "µs/request",
    verify: verifyStreams,
    load: (folder, port, seconds) => h2loadCommand(folder, port, { ...load, seconds }),
    completed(output) {
      const calls = completedStreams(output);
      // The status of gRPC is in trailers, at which h2load does not look: a call that failed brings no message.
      const bytes = receivedBytes(output);
      if (bytes < calls * message.length) throw new Error(`${calls} calls brought ${bytes} bytes`);
      return calls;
    },
  };
}

function stream(): CostCase {
  return {
    kind: "cost",
    name: "stream-100",
    unit: "µs/message",
    verify: verifyStreams,
    load: (_folder, port, seconds) => streams(port, 10, seconds),
    completed: Number,
  };
}

async function verifyStreams(ports: { readonly proxy: number }): Promise<void> {
  await runLoad(streams(ports.proxy, 1, 0.05));
}

function streams(port: number, connections: number, seconds: number): Command {
  const args = [script("grpc-load.ts"), String(port), String(connections), String(seconds)];
  return { program: process.execPath, args };
}

function script(name: string): string {
  return path.join(import.meta.dirname, "../load", name);
}
