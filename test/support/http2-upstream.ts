/** An upstream of HTTP/2: Node's own (nghttp2), so that another implementation reads what we write. */
import { once } from "node:events";
import http2, {
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";

export interface Http2Upstream extends AsyncDisposable {
  readonly port: number;
  readonly sessions: Set<ServerHttp2Session>;
  /** Sessions there ever were. */
  readonly sessionCount: number;
}

export async function startHttp2Upstream(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void | Promise<void>,
  options: http2.ServerOptions = {},
): Promise<Http2Upstream> {
  const server = http2.createServer(options);
  const sessions = new Set<ServerHttp2Session>();
  let sessionCount = 0;
  server.on("session", (session) => {
    sessionCount++;
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    void onStream(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    get sessionCount() {
      return sessionCount;
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** The whole of a request's body. */
export async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("latin1");
}
