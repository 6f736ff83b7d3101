/**
 * What sockets of a listener's addresses are set to. Options of an additional address replace the listener's, an empty
 * list all of them; keep-alive is inherited, and a zero in any of its fields turns it off
 * (docs: `listener.v3.AdditionalAddress`).
 */
import type { TcpKeepalive } from "../../../gen/es/envoy/config/core/v3/address_pb.d.ts";
import type { SocketOption } from "../../../gen/es/envoy/config/core/v3/socket_option_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type {
  AddressOptions,
  KeepAliveConfig,
  SocketOptionConfig,
} from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";

export function decodeAddressOptions(
  message: Listener,
  context: DecodeContext,
): readonly AddressOptions[] {
  const decode = (options: readonly SocketOption[]): readonly SocketOptionConfig[] =>
    options.flatMap((option) => decodeSocketOption(option, context));
  const own = {
    socketOptions: decode(message.socketOptions),
    keepAlive: decodeKeepAlive(message.tcpKeepalive),
  };
  const additional = message.additionalAddresses.map(({ socketOptions, tcpKeepalive }) => ({
    socketOptions: socketOptions ? decode(socketOptions.socketOptions) : own.socketOptions,
    keepAlive: tcpKeepalive ? decodeKeepAlive(tcpKeepalive) : own.keepAlive,
  }));
  return [own, ...additional];
}

function decodeKeepAlive(message: TcpKeepalive | undefined): KeepAliveConfig | undefined {
  if (!message) return undefined;
  const keepAlive = {
    probes: message.keepaliveProbes,
    timeS: message.keepaliveTime,
    intervalS: message.keepaliveInterval,
  };
  return Object.values(keepAlive).includes(0) ? undefined : keepAlive;
}

/** By the numbers of `SocketOption.SocketState`. */
const socketStates = ["prebind", "bound", "listening"] as const;

function decodeSocketOption(
  { level, name, value, state, type }: SocketOption,
  context: DecodeContext,
): readonly SocketOptionConfig[] {
  if (value.case === undefined) {
    context.refuse("socket option without a value");
    return [];
  }
  // Every socket here is a stream.
  if (type?.datagram && !type.stream) return [];
  return [
    {
      level: Number(level),
      name: Number(name),
      value: value.case === "intValue" ? { int: Number(value.value) } : { bytes: value.value },
      state: socketStates[state] ?? "prebind",
    },
  ];
}
