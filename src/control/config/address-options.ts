/**
 * What sockets of a listener's addresses are set to. Options of an additional address replace the listener's, an empty
 * list all of them; keep-alive is inherited, and a zero in any of its fields turns it off
 * (docs: `listener.v3.AdditionalAddress`).
 */
import type { Address, TcpKeepalive } from "../../../gen/es/envoy/config/core/v3/address_pb.d.ts";
import type { SocketOption } from "../../../gen/es/envoy/config/core/v3/socket_option_pb.d.ts";
import type { Listener } from "../../../gen/es/envoy/config/listener/v3/listener_pb.d.ts";
import type {
  AddressOptions,
  KeepAliveConfig,
  SocketOptionConfig,
} from "../../shared/config/listener-config.ts";
import { formatAddress } from "../../shared/common/address.ts";
import { isMappedIp, parseIp } from "../../shared/common/ip-address.ts";
import { decodeAddress } from "./addresses.ts";
import type { DecodeContext } from "./decode-context.ts";

export function decodeAddressOptions(
  message: Listener,
  context: DecodeContext,
): readonly AddressOptions[] {
  const decode = (options: readonly SocketOption[]): readonly SocketOptionConfig[] =>
    options.flatMap((option) => decodeSocketOption(option, context));
  const fastOpen = decodeFastOpen(message.tcpFastOpenQueueLength);
  const socketOptions = decode(message.socketOptions);
  const keepAlive = decodeKeepAlive(message.tcpKeepalive);
  const own = {
    socketOptions: [...socketOptions, ...fastOpen],
    keepAlive,
    ipv4Compat: decodeIpv4Compat(message.address, context),
  };
  const additional = message.additionalAddresses.map((each) => ({
    socketOptions: [
      ...(each.socketOptions ? decode(each.socketOptions.socketOptions) : socketOptions),
      ...fastOpen,
    ],
    keepAlive: each.tcpKeepalive ? decodeKeepAlive(each.tcpKeepalive) : keepAlive,
    ipv4Compat: decodeIpv4Compat(each.address, context),
  }));
  return [own, ...additional];
}

/** TCP_FASTOPEN, as Envoy sets it: once the socket listens (docs: `Listener.tcp_fast_open_queue_length`). */
function decodeFastOpen(queueLength: number | undefined): readonly SocketOptionConfig[] {
  if (queueLength === undefined) return [];
  return [{ level: 6, name: 23, value: { int: queueLength }, state: "listening" }];
}

function decodeIpv4Compat(message: Address | undefined, context: DecodeContext): boolean {
  const address = message?.address;
  if (address?.case !== "socketAddress" || !address.value.ipv4Compat) return false;
  const ip = parseIp(address.value.address);
  const isAny = ip?.length === 16 && ip.every((byte) => byte === 0);
  if (!isAny && !(ip && isMappedIp(ip)))
    context.refuse(
      `Only IPv6 address '::' or valid IPv4-mapped IPv6 address can set ipv4_compat: ${formatAddress(decodeAddress(message, context))}`,
    );
  return true;
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
