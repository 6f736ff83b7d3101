/**
 * A connection for checks: connected, and secured where its host is spoken to under TLS.
 *
 * What a newcomer would get wrong: who gives up while it is being opened has to be heard, or a socket stays open that
 * nobody knows of.
 */
import { connect, type Socket } from "node:net";
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { InnerProtocol } from "../../xds/socket-security.ts";
import type { ProbeTarget } from "./prober.ts";

export interface SocketReceiver {
  onOpen(socket: Socket): void;
  onFailure(error: Error): void;
}

/** One of the receiver's doors is called once, later; neither after it was disposed. */
export function openProbeSocket(
  { address, security }: ProbeTarget,
  protocol: InnerProtocol | undefined,
  receiver: SocketReceiver,
): Disposable {
  let isGivenUp = false;
  let raw: Socket | undefined;
  const open = async (): Promise<Socket> => {
    await security?.ready();
    raw = connect(nodeAddress(address));
    if (isGivenUp) raw.destroy();
    return security ? security.secure(raw, protocol) : connected(raw);
  };
  open().then(
    (socket) => {
      if (isGivenUp) socket.destroy();
      else receiver.onOpen(socket);
    },
    (error: Error) => {
      if (!isGivenUp) receiver.onFailure(error);
    },
  );
  return {
    [Symbol.dispose]: () => {
      isGivenUp = true;
      raw?.destroy();
    },
  };
}

/** As `node:net` and `node:http` want it; Node writes an abstract name with a zero byte in front. */
export function nodeAddress(
  address: SocketAddress,
): { readonly host: string; readonly port: number } | { readonly path: string } {
  return address.kind === "ip"
    ? { host: address.ip, port: address.port }
    : { path: address.path.replace(/^@/, "\0") };
}

function connected(socket: Socket): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  socket.once("connect", () => resolve(socket));
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("closed before it was connected")));
  return promise;
}
