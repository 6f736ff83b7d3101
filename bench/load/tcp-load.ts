import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";

/**
 * The TCP load, a process of its own: moves bytes, or opens short connections, through the proxy
 * for a while, then prints what was completed: bytes that arrived, or connections. Any failure ends
 * it with exit code 1, for a run that failed measures nothing.
 */
const { values } = parseArgs({
  options: {
    port: { type: "string" },
    mode: { type: "string" },
    connections: { type: "string" },
    seconds: { type: "string" },
  },
});
const port = Number(values.port);
const connections = Number(values.connections);
const endsAtMs = performance.now() + Number(values.seconds) * 1000;
const isOver = (): boolean => performance.now() >= endsAtMs;
const block = Buffer.alloc(256 * 1024, "x");
const readBuffer = Buffer.allocUnsafe(256 * 1024);

const modes: Readonly<Record<string, () => Promise<number>>> = { up, down, short: shortOnes };
const mode = modes[values.mode ?? ""];
if (mode === undefined) throw new Error(`unknown mode ${values.mode}`);
const completed = await Promise.all(Array.from({ length: connections }, mode));
console.log(completed.reduce((sum, n) => sum + n, 0));

/** Resolves with the count of the backend: bytes that only left this process have not been proxied. */
function up(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const fill = (): void => {
      while (!isOver()) if (!socket.write(block)) return;
      socket.end();
    };
    socket.on("connect", () => {
      socket.write("u");
      fill();
    });
    socket.on("drain", fill);
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("error", reject);
    socket.on("close", () => {
      if (Number(answer) > 0) resolve(Number(answer));
      else reject(new Error("the upload was cut"));
    });
  });
}

function down(): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const take = (bytes: number): boolean => {
      received += bytes;
      if (isOver()) {
        socket.destroy();
        resolve(received);
      }
      return true;
    };
    const socket: Socket = connect({
      port,
      host: "127.0.0.1",
      onread: { buffer: readBuffer, callback: take },
    });
    socket.on("connect", () => socket.write("d"));
    socket.on("error", reject);
    socket.on("end", () => reject(new Error("the download was cut")));
  });
}

async function shortOnes(): Promise<number> {
  let count = 0;
  for (; !isOver(); count++) await shortOne();
  return count;
}

function shortOne(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = 0;
    socket.on("connect", () => socket.write("s"));
    socket.on("data", (chunk) => (received += chunk.length));
    socket.on("error", reject);
    socket.on("close", () => {
      if (received === 1) resolve();
      else reject(new Error(`a short connection received ${received} bytes, not 1`));
    });
  });
}
