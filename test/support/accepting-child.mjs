/** Accepts on the listening socket that it has as descriptor 3, and answers with its name. Ends with its input. */
import net from "node:net";

const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.end(process.argv[2]);
});
server.listen({ fd: 3 }, () => process.stdout.write("listening\n"));
process.stdin.on("end", () => server.close()).resume();
