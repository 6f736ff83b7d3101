/**
 * A body of gRPC messages as base64 (gRPC-Web, `application/grpc-web-text`): each message is padded, so that a client
 * can read it when it is there. Nothing waits here but what three bytes lack.
 */
import { FrameReader } from "./grpc-frames.ts";

export class Base64Frames {
  readonly #reader = new FrameReader();
  /** Of three bytes, those that have come. */
  #rest = Buffer.alloc(0);

  encode(part: Uint8Array): Buffer {
    let text = "";
    for (let at = 0; at < part.length;) {
      const end = this.#reader.skip(part, at);
      text += this.#encode(part.subarray(at, end), this.#reader.isBetween);
      at = end;
    }
    return Buffer.from(text, "latin1");
  }

  /** The body ends, maybe within a message. */
  end(): Buffer {
    return Buffer.from(this.#encode(new Uint8Array(0), true), "latin1");
  }

  #encode(bytes: Uint8Array, isEnd: boolean): string {
    const all = Buffer.concat([this.#rest, bytes]);
    const size = isEnd ? all.length : all.length - (all.length % 3);
    this.#rest = all.subarray(size);
    return all.toString("base64", 0, size);
  }
}
