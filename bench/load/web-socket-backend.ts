import { createHash } from "node:crypto";
import { createServer } from "node:net";

/**
 * The WebSocket backend, a process of its own: `node web-socket-backend.ts PORT`. To a proxy messages are bytes, so it
 * agrees to every request and sends back what comes.
 */
const server = createServer((socket) => {
  let head = "";
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  const onHead = (part: Buffer): void => {
    head += part.toString("latin1");
    if (!head.includes("\r\n\r\n")) return;
    socket.off("data", onHead);
    socket.write(agreement(/sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? ""));
    socket.on("data", (bytes) => socket.write(bytes));
  };
  socket.on("data", onHead);
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });

/** RFC 6455 §4.2.2; HAProxy looks at it. */
function agreement(key: string): string {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  return [
    "HTTP/1.1 101 Switching Protocols",
    "connection: upgrade",
    "upgrade: websocket",
    `sec-websocket-accept: ${accept.digest("base64")}`,
    "",
    "",
  ].join("\r\n");
}
