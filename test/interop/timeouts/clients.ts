/** Clients that do what the table says, and tell in one line what they see. */
import { frameType } from "../../../src/data/http/http2/frames.ts";
import { HttpClient } from "../../support/http-peers.ts";
import { frame, RawHttp2Client, requestBlock, whole } from "../../support/raw-http2.ts";
import type { Act } from "./cases.ts";

export async function overHttp1(act: Act, port: number): Promise<() => string> {
  const client = new HttpClient(port);
  await client.connected();
  const ask = (path: string): void => client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  switch (act) {
    case "connects":
      break;
    case "was answered":
      ask("/");
      await client.response();
      break;
    case "asks /silent":
      ask("/silent");
      break;
    case "asks /begun":
    case "asks /gone":
    case "asks /half":
      ask(act.slice("asks ".length));
      break;
    case "says half a body":
      client.send("POST /whole HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\n\r\nab");
      break;
    case "says half a head":
      client.send("GET / HTTP/1.1\r\nHost: a\r\n");
      break;
    default:
      act satisfies never;
  }
  return () => {
    const [head = "", body = ""] = client.received.toString("latin1").split("\r\n\r\n");
    const status = head.split(" ")[1] ?? "";
    const closes = head.includes("\r\nconnection: close") ? "close" : "";
    const ends = client.hasEnded || client.hasClosed ? "ends" : "";
    return [status, body, closes, ends].filter((each) => each !== "").join(" ");
  };
}

export async function overHttp2(act: Act, port: number): Promise<() => string> {
  const client = new RawHttp2Client(port, { staysOpen: true });
  await client.next(frameType.settings);
  client.send(frame(frameType.settings, 1, 0));
  const ask = (path: string): void =>
    client.send(frame(frameType.headers, whole, 1, requestBlock([], { ":path": path })));
  switch (act) {
    case "connects":
      break;
    case "was answered":
      ask("/");
      await client.next(frameType.data);
      break;
    case "asks /silent":
      ask("/silent");
      break;
    case "asks /begun":
    case "asks /gone":
    case "asks /half":
      ask(act.slice("asks ".length));
      break;
    case "says half a body":
      client.send(
        frame(
          frameType.headers,
          4,
          1,
          requestBlock([["content-length", "4"]], { ":path": "/whole", ":method": "POST" }),
        ),
        frame(frameType.data, 0, 1, "ab"),
      );
      break;
    case "says half a head":
      client.send(frame(frameType.headers, 1, 1, requestBlock()));
      break;
    default:
      act satisfies never;
  }
  return () => {
    const words: string[] = [];
    for (const { type, payload, flags } of client.frames) {
      if (type === frameType.headers) words.push(`head${flags & 1 ? "." : ""}`);
      if (type === frameType.data && payload.length > 0) words.push(payload.toString("latin1"));
      if (type === frameType.rstStream) words.push(`reset ${payload.readUInt32BE(0)}`);
      if (type === frameType.goaway) words.push(`goaway ${payload.readUInt32BE(4)}`);
    }
    if (client.hasEnded) words.push("ends");
    return words.join(" ");
  };
}
