/** A client of HTTP/2: Node's own (nghttp2), so that another implementation reads what we write. */
import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";

export interface Http2Response {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
}

export async function connectHttp2(
  port: number,
  options: http2.ClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port}`, options);
  await once(session, "remoteSettings");
  // What comes after is told by its streams.
  session.on("error", () => {});
  return session;
}

export async function request(
  session: ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Http2Response> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return responseOf(stream);
}

export async function responseOf(stream: ClientHttp2Stream): Promise<Http2Response> {
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  const body = Buffer.concat(parts).toString("latin1");
  return { status: Number(headers[":status"]), headers, body };
}
