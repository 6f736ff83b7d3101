/**
 * Every system call that Sluice makes itself, declared once. Nothing outside `shared/io` may import
 * koffi (the architecture test holds that), because here a wrong number is a wild pointer.
 *
 * Addresses are plain numbers: user space is below 2^47, so a double holds them exactly. Variadic calls
 * (fcntl) are declared with fixed arguments; on Linux x64 and arm64 both conventions agree for integers.
 * Loading this file fails where the calls do not exist: the `node` reactor must not import it.
 */
/* oxlint-disable max-params -- the kernel decided how many there are */
import os from "node:os";
import koffi from "koffi";

const libc = koffi.load(null);
const int = "int";
/** Addresses and sizes: a number in, a number out. */
const long = "int64_t";

export const recv: (fd: number, to: number, length: number, flags: number) => number = libc.func(
  "recv",
  long,
  [int, long, long, int],
);
export const send: (fd: number, from: number, length: number, flags: number) => number = libc.func(
  "send",
  long,
  [int, long, long, int],
);
export const sendmsg: (fd: number, message: number, flags: number) => number = libc.func(
  "sendmsg",
  long,
  [int, long, int],
);
export const recvmsg: (fd: number, message: number, flags: number) => number = libc.func(
  "recvmsg",
  long,
  [int, long, int],
);
export const splice: (
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
  flags: number,
) => number = libc.func("splice", long, [int, long, int, long, long, "uint32_t"]);
export const memcpy: (to: number, from: number, length: number) => void = libc.func(
  "memcpy",
  "void",
  [long, long, long],
);

export const epollCreate1: (flags: number) => number = libc.func("epoll_create1", int, [int]);
export const epollCtl: (epoll: number, operation: number, fd: number, event: number) => number =
  libc.func("epoll_ctl", int, [int, int, int, long]);
export const epollWait: (epoll: number, events: number, max: number, timeoutMs: number) => number =
  libc.func("epoll_wait", int, [int, long, int, int]);

export const socket: (family: number, type: number, protocol: number) => number = libc.func(
  "socket",
  int,
  [int, int, int],
);
export const bind: (fd: number, address: number, length: number) => number = libc.func(
  "bind",
  int,
  [int, long, int],
);
export const listen: (fd: number, backlog: number) => number = libc.func("listen", int, [int, int]);
export const accept4: (fd: number, address: number, length: number, flags: number) => number =
  libc.func("accept4", int, [int, long, long, int]);
export const connect: (fd: number, address: number, length: number) => number = libc.func(
  "connect",
  int,
  [int, long, int],
);
export const shutdown: (fd: number, how: number) => number = libc.func("shutdown", int, [int, int]);
export const close: (fd: number) => number = libc.func("close", int, [int]);
export const getsockname: (fd: number, address: number, length: number) => number = libc.func(
  "getsockname",
  int,
  [int, long, long],
);
export const getpeername: (fd: number, address: number, length: number) => number = libc.func(
  "getpeername",
  int,
  [int, long, long],
);
export const setsockopt: (
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
) => number = libc.func("setsockopt", int, [int, int, int, long, int]);
export const getsockopt: (
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
) => number = libc.func("getsockopt", int, [int, int, int, long, long]);
export const pipe2: (ends: number, flags: number) => number = libc.func("pipe2", int, [long, int]);
export const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  "fcntl",
  int,
  [int, int, int],
);
export const chmod: (path: string, mode: number) => number = libc.func("chmod", int, ["str", int]);
export const waitid: (type: number, id: number, info: number, options: number) => number =
  libc.func("waitid", int, [int, int, long, int]);

const mmap: (
  hint: number,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint = libc.func("mmap", "void *", [long, long, int, int, int, long]);

const mprotect: (address: number, length: number, protection: number) => number = libc.func(
  "mprotect",
  int,
  [long, long, int],
);

/** The last call's errno: read it at once, before any other call. */
export const errno: () => number = koffi.errno;

/** Linux's numbers, the same on x64 and arm64 unless said otherwise. */
export const linux = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  /** SOCK_NONBLOCK | SOCK_CLOEXEC: every descriptor of ours has both. */
  SOCK_OURS: 0o4000 | 0o2000000,
  O_NONBLOCK: 0o4000,
  O_NONBLOCK_CLOEXEC: 0o4000 | 0o2000000,
  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,
  EPOLLIN: 1,
  EPOLLOUT: 4,
  EPOLLERR: 8,
  EPOLLHUP: 16,
  EPOLLRDHUP: 0x2000,
  EPOLLEXCLUSIVE: 1 << 28,
  EPOLLET: 1 << 31,
  MSG_PEEK: 2,
  MSG_CTRUNC: 8,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  MSG_CMSG_CLOEXEC: 0x4000_0000,
  SCM_RIGHTS: 1,
  SCM_CREDENTIALS: 2,
  SO_PASSCRED: 16,
  SO_PEERCRED: 17,
  SHUT_RD: 0,
  SHUT_WR: 1,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ERROR: 4,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_TYPE: 3,
  SO_ACCEPTCONN: 30,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_ATTACH_FILTER: 26,
  SO_DETACH_FILTER: 27,
  SO_MARK: 36,
  SO_REUSEPORT: 15,
  IPPROTO_IP: 0,
  IP_FREEBIND: 15,
  IP_TRANSPARENT: 19,
  IP_BIND_ADDRESS_NO_PORT: 24,
  /** uapi/linux/netfilter_ipv4.h, and IP6T_SO_ORIGINAL_DST of netfilter_ipv6/ip6_tables.h. */
  SO_ORIGINAL_DST: 80,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  IPV6_TRANSPARENT: 75,
  IPV6_FREEBIND: 78,
  SPLICE_F_MOVE_NONBLOCK: 3,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  FD_CLOEXEC: 1,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  P_ALL: 0,
  P_PID: 1,
  WNOHANG: 1,
  WEXITED: 4,
  /** Looks and takes nothing: the zombie stays. */
  WNOWAIT: 0x0100_0000,
} as const;

export const errnoOf = {
  ENOENT: 2,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  EPROTO: 71,
  EADDRINUSE: 98,
  ENOBUFS: 105,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ETOOMANYREFS: 109,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EINPROGRESS: 115,
} as const;

const errnoNames = new Map(Object.entries(os.constants.errno).map(([name, code]) => [code, name]));

/** `ECONNRESET` for 104; `E<number>` for one that the system does not name. */
export function errnoName(code: number): string {
  return errnoNames.get(code) ?? `E${code}`;
}

/** strerror's words, as Envoy prints them: `Address already in use`. */
export const strerror: (code: number) => string = libc.func("strerror", "str", [int]);

/** Memory that never moves and is never unmapped, seen both ways. */
export interface Mapping {
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** Of x64 and, at the most, arm64. */
const guardBytes = 64 * 1024;

/**
 * Maps zeroed private memory; undefined where the system has none left. Pages cost nothing until touched. What lies before
 * and behind it nobody may touch: a call of C that is given a wrong length ends the process, and overwrites nothing.
 */
export function mapMemory(bytes: number): Mapping | undefined {
  const readWrite = 3;
  const privateAnonymousNoReserve = 0x4022;
  const pointer = mmap(0, bytes + 2 * guardBytes, 0, privateAnonymousNoReserve, -1, 0);
  const start = Number(pointer);
  // MAP_FAILED is (void *) -1, which is above every address of user space.
  if (start <= 0 || start >= 2 ** 47) return undefined;
  const address = start + guardBytes;
  if (mprotect(address, bytes, readWrite) !== 0) return undefined;
  return { address, buffer: koffi.view(BigInt(address), bytes) };
}

/** What keeps a descriptor watched; it must stay referenced, or the collector ends the watching. */
export interface DescriptorWatch {
  close(): void;
}

/** Calls `onReadable` from Node's own event loop whenever `fd` is readable. */
export function watchReadable(fd: number, onReadable: () => void): DescriptorWatch {
  return koffi.node.poll(fd, { readable: true }, onReadable);
}
