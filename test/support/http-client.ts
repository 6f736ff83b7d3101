import { once } from "node:events";
import {
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from "node:http";

/** One request, made as an ordinary HTTP client makes it: what a proxy's client sees. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  /** What the route adds, to tell one version of it from the next. */
  readonly tag: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Whether it went over a connection that had served before. */
  readonly isReused: boolean;
}

export async function get(
  port: number,
  target = "/",
  agent: Agent | false = false,
  headers: OutgoingHttpHeaders = {},
): Promise<Answered> {
  const sent = request({ host: "127.0.0.1", port, path: target, agent, headers }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  const tag = response.headers["x-route"];
  return {
    status: response.statusCode ?? 0,
    body,
    tag: Array.isArray(tag) ? tag[0] : tag,
    headers: response.headers,
    isReused: sent.reusedSocket,
  };
}

/** Whether nobody listens there any more. */
export async function isRefused(port: number): Promise<boolean> {
  return get(port).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
  );
}
