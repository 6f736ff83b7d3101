import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";

/**
 * Streams of gRPC, a process of its own: `node grpc-load.ts PORT CONNECTIONS SECONDS`. Ten streams at a time on each
 * connection; each sends a message, awaits its echo, and does so a hundred times. Prints how many messages came back.
 * Any failure ends it with exit code 1, for a run that failed measures nothing.
 */
const [port = 0, connections = 0, seconds = 0] = process.argv.slice(2).map(Number);
const streamsAtOnce = 10;
const messagesOfStream = 100;
const endsAtMs = performance.now() + seconds * 1000;
const payloadBytes = 128;
const message = Buffer.alloc(5 + payloadBytes, "x");
message.writeUInt8(0);
message.writeUInt32BE(payloadBytes, 1);
const head = {
  ":method": "POST",
  ":path": "/bench.Echo/Stream",
  "content-type": "application/grpc",
  te: "trailers",
};

const counts = await Promise.all(Array.from({ length: connections }, ofConnection));
console.log(counts.reduce((sum, n) => sum + n, 0));

async function ofConnection(): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`);
  await once(session, "connect");
  const counted = await Promise.all(Array.from({ length: streamsAtOnce }, () => inTurn(session)));
  session.destroy();
  return counted.reduce((sum, n) => sum + n, 0);
}

async function inTurn(session: ClientHttp2Session): Promise<number> {
  let count = 0;
  do {
    await stream(session);
    count += messagesOfStream;
  } while (performance.now() < endsAtMs);
  return count;
}

function stream(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = session.request(head, { endStream: false });
    let received = 0;
    let status: unknown;
    call.on("data", (part: Buffer) => {
      const before = Math.floor(received / message.length);
      received += part.length;
      const after = Math.floor(received / message.length);
      if (after === before) return;
      if (after < messagesOfStream) call.write(message);
      else call.end();
    });
    call.on("trailers", (fields) => (status = fields["grpc-status"]));
    call.on("error", reject);
    call.on("close", () => {
      const isWhole = status === "0" && received === messagesOfStream * message.length;
      if (isWhole) resolve();
      else reject(new Error(`status ${String(status)}, ${received} bytes`));
    });
    call.write(message);
  });
}
