/**
 * Many connections that are to last, idle ones of HTTP/1 and streams of TCP: `node held-connections.ts PORT COUNT PORT COUNT`.
 * `open` on standard input opens all of them, and each is used once; `use` uses each once more. What came of it is printed:
 * how many answered as they should. Ends with standard input.
 */
import { connect, type Socket } from "node:net";

/** More at once would measure the listen backlog. */
const atOnce = 50;
const request = "GET / HTTP/1.1\r\nhost: bench\r\n\r\n";
const stream = "sixteen bytes ..";

const [httpPort = 0, idleCount = 0, tcpPort = 0, streamCount = 0] = process.argv
  .slice(2)
  .map(Number);
const idle: Socket[] = [];
const streams: Socket[] = [];

for await (const line of process.stdin) {
  if (String(line).trim() === "open") {
    await fill(idle, idleCount, httpPort);
    await fill(streams, streamCount, tcpPort);
  }
  const answered = await useAll(idle, (socket) => ask(socket, request, "fine"));
  const echoed = await useAll(streams, (socket) => ask(socket, stream, stream));
  console.log(answered + echoed);
}
for (const socket of [...idle, ...streams]) socket.destroy();

async function fill(sockets: Socket[], count: number, port: number): Promise<void> {
  while (sockets.length < count) {
    const missing = Math.min(atOnce, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: missing }, () => dial(port)))));
  }
}

async function useAll(
  sockets: readonly Socket[],
  use: (socket: Socket) => Promise<boolean>,
): Promise<number> {
  let count = 0;
  for (let at = 0; at < sockets.length; at += atOnce) {
    const used = await Promise.all(sockets.slice(at, at + atOnce).map(use));
    count += used.filter(Boolean).length;
  }
  return count;
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
  });
}

/** False: it has ended, or says something else. */
function ask(socket: Socket, text: string, wanted: string): Promise<boolean> {
  return new Promise((resolve) => {
    let came = "";
    const settle = (isRight: boolean): void => {
      socket.off("data", onData).off("close", onClose);
      resolve(isRight);
    };
    const onData = (bytes: Buffer): void => {
      came += bytes.toString("latin1");
      if (came.endsWith(wanted)) settle(true);
    };
    const onClose = (): void => settle(false);
    if (socket.destroyed) return resolve(false);
    socket.on("data", onData).on("close", onClose);
    socket.write(text);
  });
}
