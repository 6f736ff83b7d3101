/** A ClientHello for a name (RFC 8446 4.1.2), as short as servers take it: enough to be told apart by, not to go on with. */
export function clientHello(serverName: string): Buffer {
  const name = Buffer.from(serverName, "latin1");
  // server_name (RFC 6066 3): a list of one host_name.
  const names = sized(2, Buffer.concat([Buffer.of(0), sized(2, name)]));
  const versions = sized(1, Buffer.of(3, 4, 3, 3));
  const extensions = Buffer.concat([extension(0, names), extension(43, versions)]);
  const body = Buffer.concat([
    Buffer.of(3, 3),
    Buffer.alloc(32, 7),
    sized(1, Buffer.alloc(0)),
    sized(2, Buffer.of(0x13, 1, 0xc0, 0x2f)),
    sized(1, Buffer.of(0)),
    sized(2, extensions),
  ]);
  const handshake = Buffer.concat([Buffer.of(1), sized(3, body)]);
  return Buffer.concat([Buffer.of(22, 3, 1), sized(2, handshake)]);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 255), sized(2, content)]);
}

/** The content behind its length. */
function sized(lengthBytes: number, content: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}
