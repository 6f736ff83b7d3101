/** ClientHellos as bytes on the wire, good ones and, piece by piece, bad ones. */
export interface HelloParts {
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  /** Of `supported_versions`; undefined: no such extension. */
  readonly versions?: readonly number[];
  readonly legacyVersion?: number;
  readonly ciphers?: readonly number[];
  /** Beside the others, behind them. */
  readonly extensions?: readonly (readonly [type: number, content: Uint8Array])[];
  /** Bytes of padding (RFC 7685). */
  readonly padding?: number;
  /** Most bytes of a record. */
  readonly recordBytes?: number;
}

export function clientHello(parts: HelloParts = {}): Buffer {
  return records(handshake(helloBody(parts)), parts.recordBytes ?? 16_384);
}

export function helloBody(parts: HelloParts): Buffer {
  const { legacyVersion = 0x0303, ciphers = [0x1301, 0x1302, 0xc02f] } = parts;
  const extensions = [...standardExtensions(parts), ...(parts.extensions ?? [])];
  if (parts.padding !== undefined) extensions.push([21, Buffer.alloc(parts.padding)]);
  return bareBody({ version: legacyVersion, ciphers, extensions });
}

/** With nothing in it but what is named here. */
export interface BareParts {
  readonly version: number;
  readonly ciphers: readonly number[];
  readonly extensions: readonly (readonly [type: number, content: Uint8Array])[];
}

export function helloOf(parts: BareParts): Buffer {
  return records(handshake(bareBody(parts)));
}

function bareBody({ version, ciphers, extensions }: BareParts): Buffer {
  const block = extensions.map(([type, content]) =>
    Buffer.concat([u16(type), prefixed16(content)]),
  );
  return Buffer.concat([
    u16(version),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    prefixed16(Buffer.concat(ciphers.map(u16))),
    Buffer.from([1, 0]),
    prefixed16(Buffer.concat(block)),
  ]);
}

export function handshake(body: Buffer, type = 1): Buffer {
  const length = [body.length >> 16, (body.length >> 8) & 255, body.length & 255];
  return Buffer.concat([Buffer.from([type, ...length]), body]);
}

export function records(message: Buffer, recordBytes = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes)
    parts.push(record(message.subarray(at, at + recordBytes)));
  return Buffer.concat(parts);
}

export function record(content: Buffer, type = 22, version = 0x0301): Buffer {
  return Buffer.concat([Buffer.from([type]), u16(version), prefixed16(content)]);
}

export function serverNameExtension(name: Buffer, type = 0): Buffer {
  return prefixed16(Buffer.concat([Buffer.from([type]), prefixed16(name)]));
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function prefixed16(content: Uint8Array): Buffer {
  return Buffer.concat([u16(content.length), content]);
}

function standardExtensions(parts: HelloParts): (readonly [number, Uint8Array])[] {
  const { serverName, alpn, versions } = parts;
  const extensions: (readonly [number, Uint8Array])[] = [];
  if (serverName !== undefined)
    extensions.push([0, serverNameExtension(Buffer.from(serverName, "latin1"))]);
  extensions.push([10, prefixed16(Buffer.concat([u16(29), u16(23)]))]);
  extensions.push([11, Buffer.from([1, 0])]);
  extensions.push([13, prefixed16(Buffer.concat([u16(0x0403), u16(0x0804)]))]);
  if (alpn) {
    const names = alpn.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`));
    extensions.push([16, prefixed16(Buffer.concat(names))]);
  }
  if (versions) {
    const list = Buffer.concat(versions.map(u16));
    extensions.push([43, Buffer.concat([Buffer.from([list.length]), list])]);
  }
  return extensions;
}
