/** HTTP peers for tests: a raw client that reads whole responses, and an upstream of node:http. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { TestClient } from "./tcp-peers.ts";

export interface RawResponse {
  readonly status: number;
  /** By lower-case name; several values joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One connection, on which bytes are written by hand and responses read one after the other. */
export class HttpClient extends TestClient {
  #consumed = 0;

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** `GET path` with a Host field and what is given. */
  get(path: string, fields: readonly string[] = []): Promise<RawResponse> {
    this.send([`GET ${path} HTTP/1.1`, "Host: test", ...fields, "", ""].join("\r\n"));
    return this.response();
  }

  /** The next whole response; `isHead`: it has no body. */
  async response(isHead = false): Promise<RawResponse> {
    let parsed: { readonly response: RawResponse; readonly end: number } | undefined;
    await this.until(() => {
      parsed = parseResponse(this.received, this.#consumed, isHead, this.hasEnded);
      return parsed !== undefined || this.hasClosed;
    });
    if (parsed === undefined) {
      throw new Error(`no response, only: ${this.received.toString("latin1", this.#consumed)}`);
    }
    this.#consumed = parsed.end;
    return parsed.response;
  }

  /** What was received after the last response that was read. */
  get rest(): string {
    return this.received.toString("latin1", this.#consumed);
  }
}

function parseResponse(
  bytes: Buffer,
  start: number,
  isHead: boolean,
  hasEnded: boolean,
): { readonly response: RawResponse; readonly end: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n", start);
  if (headEnd < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", start, headEnd).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = "", value = ""] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]},${value}` : value;
  }
  const status = Number(statusLine.split(" ")[1]);
  const bodyStart = headEnd + 4;
  const body =
    isHead || status === 204 || status === 304 || status < 200
      ? { text: "", end: bodyStart }
      : readBody(bytes, bodyStart, headers, hasEnded);
  return body && { response: { status, headers, body: body.text }, end: body.end };
}

function readBody(
  bytes: Buffer,
  start: number,
  headers: Readonly<Record<string, string>>,
  hasEnded: boolean,
): { readonly text: string; readonly end: number } | undefined {
  if (headers["transfer-encoding"] === "chunked") return readChunks(bytes, start);
  const length = headers["content-length"];
  if (length === undefined) {
    return hasEnded ? { text: bytes.toString("latin1", start), end: bytes.length } : undefined;
  }
  const end = start + Number(length);
  return bytes.length < end ? undefined : { text: bytes.toString("latin1", start, end), end };
}

function readChunks(
  bytes: Buffer,
  start: number,
): { readonly text: string; readonly end: number } | undefined {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const dataEnd = lineEnd + 2 + size;
    if (bytes.length < dataEnd + 2) return undefined;
    if (size === 0) return { text: Buffer.concat(parts).toString("latin1"), end: dataEnd + 2 };
    parts.push(bytes.subarray(lineEnd + 2, dataEnd));
    at = dataEnd + 2;
  }
}

export interface HttpUpstream extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly SeenRequest[];
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly trailers: IncomingMessage["trailers"];
}

/** Answers each request, once it is whole, by `answer`; the default echoes the body. */
export async function startHttpUpstream(
  answer: (request: SeenRequest, response: ServerResponse) => void = (request, response) =>
    void response.end(request.body),
): Promise<HttpUpstream> {
  const requests: SeenRequest[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      const request = {
        method: message.method ?? "",
        url: message.url ?? "",
        headers: message.headers,
        body: Buffer.concat(chunks).toString("latin1"),
        trailers: message.trailers,
      };
      requests.push(request);
      answer(request, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
