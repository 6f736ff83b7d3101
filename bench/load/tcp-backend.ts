import { createServer, type Socket } from "node:net";

/**
 * The TCP backend, a process of its own: `node tcp-backend.ts PORT`. The first byte of a connection
 * says what the client wants of it:
 *   u  an upload: reads to the end, then answers with the count as text
 *   d  a download: writes until the client goes away
 *   s  a short one: answers one byte and closes
 */
const block = Buffer.alloc(256 * 1024, "x");

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.once("data", (first) => {
    const wish = first.toString("latin1", 0, 1);
    if (wish === "u") count(socket, first.length);
    else if (wish === "d") flood(socket);
    else socket.end("s");
  });
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });

function count(socket: Socket, alreadyRead: number): void {
  let received = alreadyRead;
  socket.on("data", (chunk) => (received += chunk.length));
  socket.on("end", () => socket.end(String(received)));
}

function flood(socket: Socket): void {
  socket.on("end", () => socket.destroy());
  const fill = (): void => {
    while (socket.writable && socket.write(block));
  };
  socket.on("drain", fill);
  fill();
}
