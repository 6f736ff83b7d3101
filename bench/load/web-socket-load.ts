import { connect, type Socket } from "node:net";

/**
 * WebSockets, a process of its own: `node web-socket-load.ts PORT SOCKETS SECONDS`. Each sends a message of 128 bytes,
 * awaits its echo, and so on; prints how many came back. Any failure ends it with exit code 1.
 *
 * With no sockets it holds idle ones: each line of standard input is a number to have open from then on, printed when
 * they are and each has had one message back.
 */
const [port = 0, sockets = 0, seconds = 0] = process.argv.slice(2).map(Number);
/** A masked text message of 122 bytes: 128 on the wire. */
const message = Buffer.alloc(128, "x");
message.set([0x81, 0x80 | 122, 1, 2, 3, 4]);
const ask = [
  "GET /chat HTTP/1.1",
  "host: bench",
  "connection: upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==",
  "",
  "",
].join("\r\n");
/** More at once would measure the listen backlog. */
const openedAtOnce = 50;

if (sockets > 0) {
  const counts = await Promise.all(Array.from({ length: sockets }, echoes));
  console.log(counts.reduce((sum, n) => sum + n, 0));
} else await holdIdle();

async function echoes(): Promise<number> {
  const socket = await open();
  const endsAtMs = performance.now() + seconds * 1000;
  let count = 0;
  do {
    await echo(socket);
    count++;
  } while (performance.now() < endsAtMs);
  socket.destroy();
  return count;
}

async function holdIdle(): Promise<void> {
  const held: Socket[] = [];
  for await (const line of process.stdin) {
    const wanted = Number(String(line).trim());
    while (held.length < wanted) {
      const missing = Math.min(openedAtOnce, wanted - held.length);
      held.push(...(await Promise.all(Array.from({ length: missing }, openAndEcho))));
    }
    console.log(wanted);
  }
  for (const socket of held) socket.destroy();
}

async function openAndEcho(): Promise<Socket> {
  const socket = await open();
  await echo(socket);
  return socket;
}

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let head = "";
    const onHead = (part: Buffer): void => {
      head += part.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onHead);
      if (head.startsWith("HTTP/1.1 101")) resolve(socket);
      else reject(new Error(head));
    };
    socket.on("data", onHead);
    socket.on("connect", () => socket.write(ask));
    socket.on("error", fail);
    socket.on("end", () => fail(new Error("a WebSocket was closed")));
  });
}

function echo(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    let received = 0;
    const onData = (part: Buffer): void => {
      const expected = message.subarray(received, received + part.length);
      if (!part.equals(expected)) fail(new Error("what came back is not what was sent"));
      received += part.length;
      if (received < message.length) return;
      socket.off("data", onData);
      resolve();
    };
    socket.on("data", onData);
    socket.write(message);
  });
}

function fail(error: Error): void {
  console.error(error.message);
  process.exit(1);
}
