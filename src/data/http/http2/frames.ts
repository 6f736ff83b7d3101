/** Frames as they are on the wire (RFC 9113 §4, §6, §7): numbers, flags, codes. */

export const frameHeaderBytes = 9;
/** What SETTINGS_MAX_FRAME_SIZE is at first; ours stays so. */
export const frameSizeMin = 16_384;
export const frameSizeMost = 16_777_215;
export const windowMax = 2_147_483_647;
export const defaultWindow = 65_535;
export const streamIdMax = 2_147_483_647;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  /** Envoy's extension (its docs: `h2_metadata.md`): HPACK without a table that lasts. */
  metadata: 0x4d,
} as const;

export const flag = {
  /** Of SETTINGS and PING. */
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  endMetadata: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
} as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** The whole preface of a client, before its SETTINGS (§3.4). */
export const clientPreface = new Uint8Array(
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
);

/** Of the bytes that are at hand. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A frame's header at bytes[at, at + 9), read into one object a thread. */
export class FrameHeader {
  length = 0;
  type = 0;
  flags = 0;
  streamId = 0;

  read(bytes: Uint8Array, at: number): void {
    this.length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    this.type = bytes[at + 3] as number;
    this.flags = bytes[at + 4] as number;
    this.streamId = readUint31(bytes, at + 5);
  }

  has(bit: number): boolean {
    return (this.flags & bit) !== 0;
  }
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** Without the reserved bit. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & 0x7f_ff_ff_ff;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
