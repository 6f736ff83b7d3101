import { connect, type Socket } from "node:net";

/**
 * Holds keep-alive connections that have each served one request: `node idle-connections.ts PORT`.
 * Each line of standard input is a number of connections to have open from then on; the same number
 * is printed when they are, each with its answer read. Ends with standard input.
 */
const port = Number(process.argv[2]);
const held: Socket[] = [];
/** More at once would measure the listen backlog. */
const atOnce = 50;

for await (const line of process.stdin) {
  const wanted = Number(String(line).trim());
  while (held.length < wanted) {
    const missing = Math.min(atOnce, wanted - held.length);
    held.push(...(await Promise.all(Array.from({ length: missing }, open))));
  }
  console.log(wanted);
}
for (const socket of held) socket.destroy();

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("connect", () => socket.write("GET /small HTTP/1.1\r\nhost: bench\r\n\r\n"));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("an idle connection was closed")));
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      const headEnd = answer.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? Number.NaN);
      if (!answer.startsWith("HTTP/1.1 200")) reject(new Error(answer.slice(0, headEnd)));
      else if (answer.length === headEnd + 4 + length) resolve(socket);
    });
  });
}
