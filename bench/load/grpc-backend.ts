import { createServer } from "node:http2";

/** The gRPC backend, a process of its own: `node grpc-backend.ts PORT`. It sends back what comes, and status 0. */
const server = createServer((request, response) => {
  response.setHeader("content-type", "application/grpc");
  response.addTrailers({ "grpc-status": "0" });
  request.on("error", () => request.stream.close());
  response.on("error", () => request.stream.close());
  request.pipe(response);
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
