import { connect } from "node:net";

/**
 * Clients that dial in a tight loop: connect, send one request, read its answer, hang up: `node dialers.ts
 * PORT CLIENTS`. A line of standard input is answered with what happened since the one before, as JSON.
 *
 * `refused`: no connection came about, which nobody promised while nothing listens. `reset`: it did, and it
 * ended without an answer. That is what an accept queue that is thrown away does.
 */
const [port = 0, clients = 0] = process.argv.slice(2).map(Number);
let counts = { answered: 0, refused: 0, reset: 0 };

for (let i = 0; i < clients; i++) void dialForEver();
for await (const _line of process.stdin) {
  console.log(JSON.stringify(counts));
  counts = { answered: 0, refused: 0, reset: 0 };
}
process.exit(0);

async function dialForEver(): Promise<void> {
  for (;;) counts[await dial()]++;
}

function dial(): Promise<keyof typeof counts> {
  return new Promise((resolve) => {
    let isConnected = false;
    let answer = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      isConnected = true;
      socket.write("GET / HTTP/1.1\r\nhost: bench\r\n\r\n");
    });
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (!answer.includes("\r\n\r\n")) return;
      resolve("answered");
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(isConnected ? "reset" : "refused"));
  });
}
