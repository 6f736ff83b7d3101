/**
 * Listening sockets of the epoll reactor: descriptors, made by the main thread and valid in every
 * thread of the process.
 */
import { rmSync } from "node:fs";
import { formatAddress, type SocketAddress } from "../common/address.ts";
import type {
  KeepAlive,
  ListenSocketOptions,
  ListenSockets,
  OpenListenSocketResult,
  OwnedListenSocket,
  RawSocketOption,
  SocketHolder,
} from "./listen-sockets.ts";
import { encodeAddress, familyOf, localAddressOf } from "./socket-address.ts";
import { bind, chmod, close, errno, linux, listen, socket, strerror } from "./syscalls.ts";
import { SystemArea } from "./system-area.ts";

export function createEpollListenSockets(): ListenSockets {
  const area = new SystemArea();
  return {
    openListenSocket: (address, options) => Promise.resolve(open(area, address, options)),
    hasOtherOptions: (fd, address, options) =>
      valuesOf(address, options).some(
        ([level, name, value]) => (area.getOption(fd, level, name) ?? value) !== value,
      ),
    adoptListenSocket: (fd, address, options) => new EpollListenSocket(area, fd, address, options),
  };
}

function open(
  area: SystemArea,
  address: SocketAddress,
  options: ListenSocketOptions,
): OpenListenSocketResult {
  const fd = socket(familyOf(address), linux.SOCK_STREAM | linux.SOCK_OURS, 0);
  if (fd < 0) return { ok: false, error: cannotBind(address, strerror(errno())) };
  const error =
    applyBuiltIn(area, fd, address, options) ??
    applyRaw(area, fd, options.socketOptions, "prebind") ??
    bindTo(area, fd, address) ??
    applyRaw(area, fd, options.socketOptions, "bound");
  if (error !== undefined) {
    close(fd);
    return { ok: false, error };
  }
  return { ok: true, socket: new EpollListenSocket(area, fd, address, options) };
}

class EpollListenSocket implements OwnedListenSocket {
  readonly ref: OwnedListenSocket["ref"];
  readonly #area: SystemArea;
  readonly #options: ListenSocketOptions;
  #state: "bound" | "listening" | "closed" = "bound";
  #holders: readonly SocketHolder[] = [];

  constructor(area: SystemArea, fd: number, address: SocketAddress, options: ListenSocketOptions) {
    this.#area = area;
    this.#options = options;
    const localAddress = address.kind === "pipe" ? address : localAddressOf(area, fd);
    this.ref = { handle: fd, localAddress };
  }

  startListening(): string | undefined {
    if (this.#state !== "bound") return undefined;
    if (listen(this.ref.handle, this.#options.backlog) !== 0) {
      return `cannot listen() errno=${errno()}`;
    }
    this.#state = "listening";
    return applyRaw(this.#area, this.ref.handle, this.#options.socketOptions, "listening");
  }

  /**
   * A handshake that ends between the last accept and the close would be reset. So SYNs are dropped from
   * here on, and by the time the workers have stopped those under way are in the queue. Whoever dials in
   * these moments is refused when its SYN is sent again, a second later.
   *
   * Not where another process has the socket, too: the filter would be its, and what is in the queue is not lost.
   * A worker that closed before it stopped watching would go on being woken for it (epoll(7), Q6).
   */
  disown(): boolean {
    if (this.#holders.some(({ isThere }) => isThere)) return false;
    if (this.ref.localAddress.kind === "ip") this.#area.refuseHandshakes(this.ref.handle);
    this.#state = "closed";
    return true;
  }

  shareWith(holder: SocketHolder): void {
    if (this.#holders.includes(holder)) return;
    this.#holders = [...this.#holders.filter(({ isThere }) => isThere), holder];
  }

  isHeldBy(holder: SocketHolder): boolean {
    return this.#holders.includes(holder);
  }

  listenAgain(): void {
    if (this.#state !== "listening") return;
    this.#area.acceptHandshakes(this.ref.handle);
    listen(this.ref.handle, this.#options.backlog);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    close(this.ref.handle);
  }
}

function cannotBind(address: SocketAddress, why: string): string {
  return `cannot bind '${formatAddress(address)}': ${why}`;
}

/** The options that listeners have fields of their own for. */
function applyBuiltIn(
  area: SystemArea,
  fd: number,
  address: SocketAddress,
  options: ListenSocketOptions,
): string | undefined {
  if (address.kind === "pipe") return undefined;
  const isIpv6 = address.ip.includes(":");
  const wanted: [boolean, number, number][] = [
    // Without it, connections of the last run in TIME_WAIT would keep the port for a minute.
    [true, linux.SOL_SOCKET, linux.SO_REUSEADDR],
    [options.reusePort, linux.SOL_SOCKET, linux.SO_REUSEPORT],
    [isIpv6 && options.ipv6Only, linux.IPPROTO_IPV6, linux.IPV6_V6ONLY],
    [options.freebind && !isIpv6, linux.IPPROTO_IP, linux.IP_FREEBIND],
    [options.freebind && isIpv6, linux.IPPROTO_IPV6, linux.IPV6_FREEBIND],
    [options.transparent && !isIpv6, linux.IPPROTO_IP, linux.IP_TRANSPARENT],
    [options.transparent && isIpv6, linux.IPPROTO_IPV6, linux.IPV6_TRANSPARENT],
  ];
  // The system's default may be either (net.ipv6.bindv6only).
  if (isIpv6 && !options.ipv6Only) {
    area.setOption(fd, linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 0);
  }
  const failed = wanted.some(
    ([isWanted, level, name]) => isWanted && area.setOption(fd, level, name, 1) !== 0,
  );
  return failed || !setKeepAlive(area, fd, options.keepAlive)
    ? optionsFailed("prebind")
    : undefined;
}

/** What a socket that was made with the options says of itself: those that it can be asked for. */
function valuesOf(
  address: SocketAddress,
  options: ListenSocketOptions,
): readonly (readonly [level: number, name: number, value: number])[] {
  const raw = options.socketOptions.flatMap(({ level, name, value, state }) =>
    "int" in value && state !== "listening" && !isRounded(level, name)
      ? [[level, name, value.int] as const]
      : [],
  );
  if (address.kind === "pipe") return raw;
  const isIpv6 = address.ip.includes(":");
  const [level, freebind, transparent] = isIpv6
    ? [linux.IPPROTO_IPV6, linux.IPV6_FREEBIND, linux.IPV6_TRANSPARENT]
    : [linux.IPPROTO_IP, linux.IP_FREEBIND, linux.IP_TRANSPARENT];
  return [
    [level, freebind, Number(options.freebind)],
    [level, transparent, Number(options.transparent)],
    [linux.SOL_SOCKET, linux.SO_KEEPALIVE, Number(options.keepAlive !== undefined)],
    ...raw,
  ];
}

/** The kernel keeps another number than it was told (socket(7)). */
function isRounded(level: number, name: number): boolean {
  return level === linux.SOL_SOCKET && (name === linux.SO_SNDBUF || name === linux.SO_RCVBUF);
}

/** On a listening socket, for what is accepted there (tcp(7)). */
function setKeepAlive(area: SystemArea, fd: number, keepAlive: KeepAlive | undefined): boolean {
  if (keepAlive === undefined) return true;
  const { probes, timeS, intervalS } = keepAlive;
  const wanted: [number, number, number | undefined][] = [
    [linux.SOL_SOCKET, linux.SO_KEEPALIVE, 1],
    [linux.IPPROTO_TCP, linux.TCP_KEEPCNT, probes],
    [linux.IPPROTO_TCP, linux.TCP_KEEPIDLE, timeS],
    [linux.IPPROTO_TCP, linux.TCP_KEEPINTVL, intervalS],
  ];
  return wanted.every(
    ([level, name, value]) => value === undefined || area.setOption(fd, level, name, value) === 0,
  );
}

function applyRaw(
  area: SystemArea,
  fd: number,
  options: readonly RawSocketOption[],
  state: RawSocketOption["state"],
): string | undefined {
  for (const option of options) {
    if (option.state !== state) continue;
    const { level, name, value } = option;
    const failed =
      "int" in value
        ? area.setOption(fd, level, name, value.int)
        : area.setOptionBytes(fd, level, name, value.bytes);
    if (failed !== 0) return optionsFailed(state);
  }
  return undefined;
}

/** Envoy names the moment, not the option. */
function optionsFailed(state: RawSocketOption["state"]): string {
  switch (state) {
    case "prebind":
      return "ListenSocket: Setting socket options failed";
    case "bound":
      return "cannot set post-bound socket option on socket";
    case "listening":
      return "cannot set post-listen socket option on socket";
    default:
      return state satisfies never;
  }
}

function bindTo(area: SystemArea, fd: number, address: SocketAddress): string | undefined {
  const isFile = address.kind === "pipe" && !address.path.startsWith("@");
  if (isFile) removeSocketFile(address.path);
  const length = encodeAddress(area, address);
  if (length === 0) return cannotBind(address, "Invalid argument");
  if (bind(fd, area.addressAddress, length) !== 0) return cannotBind(address, strerror(errno()));
  if (!isFile || address.mode === 0 || chmod(address.path, address.mode) === 0) return undefined;
  return `Failed to create socket with mode ${address.mode.toString(8)}: ${strerror(errno())}`;
}

/** A socket file outlives its socket. What cannot be removed makes the bind fail, which says more. */
function removeSocketFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The bind that follows reports it.
  }
}
