/**
 * How a message becomes datagrams and back: eight bytes of length, big-endian, then the message, cut every 4096 bytes
 * (Envoy: `RpcStream`). Bytes that are no frame are a peer's fault: a reason, and the next message begins afresh.
 * All chunks but a message's last are full, and of one sender: so the rest of a message whose sender died is not waited for.
 */
const lengthBytes = 8;
/** Of one datagram. */
const chunkBytes = 4096;
/** A hundred thousand stats: no proxy says more. */
const messageBytesMax = 64 * 1024 * 1024;

export function frame(message: Uint8Array): readonly Uint8Array[] {
  const whole = new Uint8Array(lengthBytes + message.length);
  new DataView(whole.buffer).setBigUint64(0, BigInt(message.length));
  whole.set(message, lengthBytes);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += chunkBytes)
    chunks.push(whole.subarray(at, at + chunkBytes));
  return chunks;
}

export type FrameRead =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "more" }
  | { readonly kind: "garbage"; readonly reason: string };

export class FrameReader {
  #chunks: Uint8Array[] = [];
  #missing = 0;
  #sender = 0;

  /** `sender`: what tells senders apart, their process ids. */
  read(datagram: Uint8Array, sender = 0): FrameRead {
    if (this.#chunks.length > 0 && sender === this.#sender) return this.#take(datagram, datagram);
    this.#chunks = [];
    this.#sender = sender;
    return this.#begin(datagram);
  }

  #begin(datagram: Uint8Array): FrameRead {
    if (datagram.length < lengthBytes)
      return { kind: "garbage", reason: `a datagram of ${datagram.length} bytes has no length` };
    const view = new DataView(datagram.buffer, datagram.byteOffset, lengthBytes);
    const length = view.getBigUint64(0);
    if (length > messageBytesMax)
      return { kind: "garbage", reason: `a message of ${length} bytes is too long` };
    this.#missing = Number(length);
    return this.#take(datagram.subarray(lengthBytes), datagram);
  }

  #take(bytes: Uint8Array, datagram: Uint8Array): FrameRead {
    this.#missing -= bytes.length;
    this.#chunks.push(bytes);
    if (this.#missing > 0 && datagram.length < chunkBytes) {
      this.#chunks = [];
      return { kind: "garbage", reason: `${this.#missing} bytes fewer than the length says` };
    }
    if (this.#missing > 0) return { kind: "more" };
    const message = Buffer.concat(this.#chunks);
    this.#chunks = [];
    if (this.#missing < 0)
      return { kind: "garbage", reason: `${-this.#missing} bytes more than the length says` };
    return { kind: "message", bytes: message };
  }
}
