/**
 * Reads a TLS ClientHello out of the first bytes of a connection (RFC 8446, sections 4.1.2 and 5.1; RFC 5246, 7.4.1.2).
 * Nothing is kept or changed: the real TLS reads the same bytes again.
 *
 * What a newcomer would get wrong: it decides as BoringSSL does, whom Envoy asks. So five bytes are awaited before
 * anything is refused, and a record is looked into only when it is here as a whole.
 */
import { ByteReader } from "./byte-reader.ts";

export interface ClientHello {
  /** The legacy field of the message. */
  readonly version: number;
  readonly cipherSuites: readonly number[];
  readonly extensions: readonly HelloExtension[];
}

export interface HelloExtension {
  readonly type: number;
  /** Within the bytes that were read. */
  readonly content: Uint8Array;
}

/** `length`: bytes that it takes on the wire, with its records. */
export type HelloResult =
  | { readonly kind: "incomplete" }
  /** No TLS, or a ClientHello that no server would take. */
  | { readonly kind: "invalid"; readonly length: number }
  | { readonly kind: "hello"; readonly hello: ClientHello; readonly length: number };

const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
const handshakeRecord = 22;
const clientHelloMessage = 1;
/** RFC 5246, 6.2.3: what a record may hold, with what encryption may add. */
const recordBytesMax = 16_384 + 2_048;
/** BoringSSL's bound of a message of the handshake. */
const messageBytesMax = 16_384;
const sessionIdBytesMax = 32;

const incomplete = { kind: "incomplete" } as const;

export function readClientHello(bytes: Uint8Array): HelloResult {
  const collected = collectMessage(bytes);
  if (collected.kind !== "message") return collected;
  const hello = parseMessage(collected.message);
  const { length } = collected;
  return hello ? { kind: "hello", hello, length } : { kind: "invalid", length };
}

export function extensionOf(hello: ClientHello, type: number): Uint8Array | undefined {
  return hello.extensions.find((extension) => extension.type === type)?.content;
}

type Collected =
  | Exclude<HelloResult, { readonly kind: "hello" }>
  | { readonly kind: "message"; readonly message: Uint8Array; readonly length: number };

/** The first message, which may lie in several records. They are put together once, when all of them are here. */
function collectMessage(bytes: Uint8Array): Collected {
  const parts: Uint8Array[] = [];
  const header: number[] = [];
  let have = 0;
  for (let at = 0; ;) {
    if (bytes.length - at < recordHeaderBytes) return incomplete;
    const bodyAt = at + recordHeaderBytes;
    const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    if (bytes[at + 1] !== 3 || length > recordBytesMax) return { kind: "invalid", length: bodyAt };
    if (bytes.length - bodyAt < length) return incomplete;
    if (bytes[at] !== handshakeRecord || length === 0) return { kind: "invalid", length: bodyAt };
    at = bodyAt + length;
    const part = bytes.subarray(bodyAt, at);
    parts.push(part);
    header.push(...part.subarray(0, messageHeaderBytes - header.length));
    have += length;
    const wanted = messageBytes(header);
    if (wanted < 0) return { kind: "invalid", length: at };
    if (have >= wanted) return { kind: "message", message: joined(parts, wanted), length: at };
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [only = new Uint8Array(0)] = parts;
  return (parts.length === 1 ? only : Buffer.concat(parts)).subarray(0, length);
}

/** Of the message with its header; negative: it is none that may come first. */
function messageBytes(header: readonly number[]): number {
  const [type, high = 0, middle = 0, low] = header;
  if (type !== clientHelloMessage) return -1;
  if (low === undefined) return Number.POSITIVE_INFINITY;
  const length = (high << 16) | (middle << 8) | low;
  return length > messageBytesMax ? -1 : messageHeaderBytes + length;
}

function parseMessage(message: Uint8Array): ClientHello | undefined {
  const reader = new ByteReader(message.subarray(messageHeaderBytes));
  const version = reader.u16();
  reader.skip(32);
  const sessionId = reader.prefixed8();
  const ciphers = reader.prefixed16();
  const compressions = reader.prefixed8();
  if (reader.isBroken || sessionId.length > sessionIdBytesMax) return undefined;
  if (ciphers.length === 0 || ciphers.length % 2 !== 0) return undefined;
  if (!compressions.includes(0)) return undefined;
  // Before TLS 1.2 there might be none at all.
  const extensions = reader.rest === 0 ? [] : readExtensions(reader);
  return extensions && { version, cipherSuites: u16List(ciphers), extensions };
}

function readExtensions(reader: ByteReader): HelloExtension[] | undefined {
  const block = new ByteReader(reader.prefixed16());
  if (reader.isBroken || reader.rest > 0) return undefined;
  const extensions: HelloExtension[] = [];
  while (block.rest > 0) {
    const type = block.u16();
    const content = block.prefixed16();
    if (block.isBroken) return undefined;
    extensions.push({ type, content });
  }
  const types = new Set(extensions.map(({ type }) => type));
  return types.size === extensions.length ? extensions : undefined;
}

/** An odd byte at the end is left out. */
export function u16List(bytes: Uint8Array): number[] {
  const list: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2)
    list.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return list;
}
