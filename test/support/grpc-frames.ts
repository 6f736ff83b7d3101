/** Messages as gRPC frames them (gRPC over HTTP2: Length-Prefixed-Message). */
export function grpcFrame(message: string | Buffer, flags = 0): Buffer {
  const body = Buffer.from(message);
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
