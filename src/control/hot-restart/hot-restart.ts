/**
 * One generation's place among the others (Envoy: `HotRestartImpl`): child of the epoch before, parent of the next.
 *
 *     bind names ─▶ parent there? ─▶ take sockets ─▶ workers serve ─▶ its admin closes ─▶ it drains ─▶ empty or late: it ends
 *
 * Everything can be given up by just ending: the parent serves on as if nothing had been, or, once it drains, begins again.
 */
import { fstatSync } from "node:fs";
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { Logger } from "../../shared/common/log.ts";
import type { Random } from "../../shared/common/random.ts";
import { DescriptorSocket, closeDescriptors } from "../../shared/io/descriptor-socket.ts";
import { type SocketHolder, holderWhile } from "../../shared/io/listen-sockets.ts";
import { strerror } from "../../shared/io/syscalls.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { ChildLink, type ParentDuties } from "./child-link.ts";
import type { HotRestartOptions } from "./hot-restart-options.ts";
import { MessageCodec } from "./message-codec.ts";
import { MessageSocket } from "./message-socket.ts";
import type { TakenService } from "./moves/connection-receiver.ts";
import type { ConnectionSender } from "./moves/connection-sender.ts";
import { ElderStream } from "./moves/elder-stream.ts";
import type { PassedSockets } from "./handover/passed-sockets.ts";
import type { OwnSocket } from "./handover/socket-frames.ts";
import { SiblingServer, epochAt } from "./moves/sibling-stream.ts";
import { ParentLink } from "./parent-link.ts";
import { ParentWatch, type ParentWatchParts } from "./parent-watch.ts";
import { SharedSegment } from "./shared-segment.ts";
import type { SocketTransfer } from "./socket-transfer.ts";
import { type HotRestartNames, addressText, generationsMax, socketName } from "./socket-names.ts";

/** A parent that starts together with its child may be later. */
const findTriesMax = 10;
const findEveryMs = 200;
/** For a process to end whose time is over. */
const shutdownGraceMs = 10_000;
/** Base ids that are tried before it is given up. */
const dynamicTriesMax = 16;
/** No Envoy has more workers. */
const socketsPerAddressMax = 256;

export interface HotRestartParts {
  readonly options: HotRestartOptions;
  readonly protos: ProtoRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of this process. */
  readonly uid: number;
}

/** What a parent does besides for another Sluice. */
export interface SluiceDuties {
  /** Connections that can move. */
  readonly give: (taker: ConnectionSender) => void;
  /** All that it listens on, which `holder` has from then on, too. */
  readonly sockets: (holder: SocketHolder) => readonly OwnSocket[];
}

export type HotRestartResult =
  | { readonly ok: true; readonly hotRestart: HotRestart }
  | { readonly ok: false; readonly error: string };

interface BoundNames {
  readonly names: HotRestartNames;
  readonly sockets: { readonly asParent: MessageSocket; readonly asChild: MessageSocket };
  readonly all: readonly Disposable[];
}

export class HotRestart implements SocketTransfer, Disposable {
  readonly parent: SocketHolder = holderWhile(() => this.hasParent && !this.#isParentDrained);
  readonly #parts: HotRestartParts;
  readonly #bound: BoundNames;
  readonly #codec: MessageCodec;
  readonly #segment: SharedSegment;
  readonly #parent: ParentLink | undefined;
  #watch: ParentWatch | undefined;
  #child: ChildLink | undefined;
  #siblings: SiblingServer | undefined;
  /** Connections come by it for as long as the parent drains. */
  #elder: ElderStream | undefined;
  /** Sockets of the parent that no listener has taken yet. */
  #passed: PassedSockets | undefined;
  #isSucceeded = false;
  #isParentDrained = false;

  private constructor(
    parts: HotRestartParts,
    bound: BoundNames,
    codec: MessageCodec,
    parent: ParentLink | undefined,
  ) {
    this.#parts = parts;
    this.#bound = bound;
    this.#codec = codec;
    this.#parent = parent;
    this.#segment = new SharedSegment(bound.names.baseId);
  }

  /** Binds its names and finds its parent. The error is a sentence for a person; nothing is held then. */
  static async open(parts: HotRestartParts): Promise<HotRestartResult> {
    const { options, log } = parts;
    const codec = new MessageCodec(parts.protos);
    await whenNameless(parts);
    const bound = bindNames(parts, codec);
    if (typeof bound === "string") return { ok: false, error: bound };
    const parent = options.epoch === 0 ? undefined : linkTo(parts, bound, codec);
    const isThere = parent === undefined || (await find(parent, parts));
    const refused = whyNotStart(bound.names, options, isThere);
    if (refused !== undefined) {
      for (const each of bound.all) each[Symbol.dispose]();
      return { ok: false, error: refused };
    }
    if (!isThere) log.info("no parent process, starting without one");
    const hotRestart = new HotRestart(parts, bound, codec, isThere ? parent : undefined);
    hotRestart.#openSegment();
    await hotRestart.#takeSockets();
    return { ok: true, hotRestart };
  }

  /** All at once, of a Sluice; what has not come is asked for. */
  async #takeSockets(): Promise<void> {
    if (!this.#parent) return;
    this.#elder = ElderStream.dial(this.#siblingName(-1), this.#parts);
    this.#passed = await this.#elder?.takeSockets();
  }

  get baseId(): number {
    return this.#bound.names.baseId;
  }

  get epoch(): number {
    return this.#parts.options.epoch;
  }

  /** There is a generation before, which serves, or drains. */
  get hasParent(): boolean {
    return this.#parent !== undefined && !this.#parent.isLost;
  }

  async whenAlone(): Promise<void> {
    const { clock } = this.#parts;
    while (this.#parent && !this.#parent.hasEnded)
      await new Promise<void>((resolve) => void clock.startTimer(findEveryMs, resolve));
  }

  /** The parent's sockets for one worker; with the last worker, those of workers that only the parent has. */
  async takeListenSockets(
    address: SocketAddress,
    worker: number,
    isLast: boolean,
  ): Promise<readonly number[]> {
    const passed = this.#passed?.take("proxy", address, { worker, isLast }) ?? [];
    if (passed.length > 0) return passed;
    const taken: number[] = [];
    for (let index = worker; index < socketsPerAddressMax; index++) {
      const fd = await this.#parent?.takeListenSocket(addressText(address), index);
      if (fd === undefined) return taken;
      if (taken.some((other) => isSameSocket(other, fd))) {
        // One for all workers, which the parent gives to each that asks.
        closeDescriptors([fd]);
        return taken;
      }
      taken.push(fd);
      if (!isLast) return taken;
    }
    return taken;
  }

  /** Before anything is asked of the parent: another Sluice knows then whom it has before it. */
  async greet(service: TakenService): Promise<void> {
    this.#passed?.[Symbol.dispose]();
    if (!this.hasParent) return;
    // It may have been starting itself when it was dialled first.
    this.#elder ??= ElderStream.dial(this.#siblingName(-1), this.#parts);
    await this.#elder?.serve(service);
  }

  /** The parent's admin closes; when the first generation started, in seconds since 1970. */
  async takeAdmin(): Promise<number | undefined> {
    return this.#parent?.shutdownAdmin();
  }

  /** From now on a next generation is answered. */
  serveChild(duties: ParentDuties, { give, sockets }: SluiceDuties): void {
    const { options, clock } = this.#parts;
    this.#clearSegmentFlags();
    this.#siblings = SiblingServer.open(this.#siblingName(0), options, {
      ...this.#parts,
      sockets: (pid) => (this.#child ? sockets(this.#child.holderOf(pid)) : []),
    });
    this.#child = new ChildLink({
      clock,
      socket: this.#bound.sockets.asParent,
      codec: this.#codec,
      name: socketName(this.#bound.names, "child", options.epoch + 1),
      duties: {
        ...duties,
        shutdownAdmin: async () => {
          // Names are used again after three epochs. A Sluice waits for them, an Envoy wants them at once.
          if (!this.#siblings?.taker)
            await this.#watch?.terminateNow("a third generation has started");
          return duties.shutdownAdmin();
        },
        drainListeners: (child) => {
          this.#isSucceeded = true;
          void this.#giveThenDrain(child, duties, give);
        },
        terminate: () => {
          const ended = this.#watch?.terminateNow("its successor ends") ?? Promise.resolve();
          void ended.then(() => duties.terminate());
        },
        takeBack: () => {
          this.#isSucceeded = false;
          this.#clearSegmentFlags();
          duties.takeBack();
        },
      },
    });
    this.#child.start();
  }

  /** Our workers serve: the parent gives us connections, drains, is asked for its stats, and ends when it is empty or late. */
  async drainParent(
    parts: Omit<ParentWatchParts, "parent" | "clock" | "log" | "shutdownMs" | "takesStats">,
  ): Promise<void> {
    if (!this.#parent || this.#parent.isLost) return;
    const { clock, log, options } = this.#parts;
    this.#isParentDrained = true;
    this.#watch = new ParentWatch({
      ...parts,
      parent: this.#parent,
      clock,
      log,
      shutdownMs: options.parentShutdownMs,
      takesStats: !options.skipsParentStats,
    });
    await this.#parent.drainListeners();
    this.#watch.start();
  }

  /** It says so itself, which an Envoy does not. */
  parentIsEmpty(): void {
    this.#watch?.parentIsEmpty();
  }

  /** Connections move before they are told to go. */
  async #giveThenDrain(
    child: SocketHolder,
    duties: ParentDuties,
    give: (taker: ConnectionSender) => void,
  ): Promise<void> {
    const taker = this.#siblings?.taker;
    if (!taker) return duties.drainListeners(child);
    await taker.whenMarked();
    // It may have died meanwhile, and all is taken back.
    if (!child.isThere) return;
    give(taker);
    duties.drainListeners(child);
  }

  #siblingName(fromHere: 0 | -1): string {
    return socketName(this.#bound.names, "sluice", this.epoch + fromHere);
  }

  [Symbol.dispose](): void {
    this.#elder?.[Symbol.dispose]();
    this.#passed?.[Symbol.dispose]();
    this.#siblings?.[Symbol.dispose]();
    this.#watch?.[Symbol.dispose]();
    this.#child?.[Symbol.dispose]();
    for (const each of this.#bound.all) each[Symbol.dispose]();
    if (!this.#isSucceeded && !this.hasParent) this.#segment.remove();
  }

  #openSegment(): void {
    try {
      this.#segment.create(this.epoch > 0);
    } catch (error) {
      this.#parts.log.warning(`hot restart: an Envoy could not follow: ${String(error)}`);
    }
  }

  #clearSegmentFlags(): void {
    try {
      this.#segment.clearFlags();
    } catch {
      // Said already when it was made.
    }
  }
}

/** Undefined: it may. */
function whyNotStart(
  names: HotRestartNames,
  { epoch, skipsOnNoParent }: HotRestartOptions,
  isParentThere: boolean,
): string | undefined {
  if (epoch === 0) return undefined;
  if (isParentThere) return new SharedSegment(names.baseId).mismatch();
  if (skipsOnNoParent) return undefined;
  return `no parent answers at ${socketName(names, "parent", epoch - 1)} (see --restart-epoch and --base-id, or --skip-hot-restart-on-no-parent)`;
}

/** As many generations can live as there are names: one more waits for the first of them, which may still drain. */
async function whenNameless(parts: HotRestartParts): Promise<void> {
  const { options, clock, log } = parts;
  const { baseId, socketPath, epoch, parentShutdownMs } = options;
  if (baseId === "dynamic" || epoch < generationsMax) return;
  const name = socketName({ socketPath, baseId }, "sluice", epoch);
  const before = epoch - generationsMax;
  const deadline = clock.now() + parentShutdownMs + shutdownGraceMs;
  let isTold = false;
  while ((await epochAt(name, parts)) === before && clock.now() < deadline) {
    if (!isTold) log.info(`hot restart: waiting for the process of epoch ${before} to end`);
    isTold = true;
    await new Promise<void>((resolve) => void clock.startTimer(findEveryMs, resolve));
  }
}

function bindNames(parts: HotRestartParts, codec: MessageCodec): BoundNames | string {
  const { options, random } = parts;
  const { baseId, socketPath } = options;
  if (baseId !== "dynamic") return bindAs({ socketPath, baseId }, parts, codec);
  let error = "";
  for (let i = 0; i < dynamicTriesMax; i++) {
    // Envoy's range, so that ten times it is a number yet.
    const names = { socketPath, baseId: Math.floor(random.next() * 0x0fff_ffff) };
    const bound = bindAs(names, parts, codec);
    if (typeof bound !== "string") return bound;
    error = bound;
  }
  return error;
}

/** All that Envoy binds, which keeps a second process of the epoch away; over the UDP ones nothing is said to us. */
function bindAs(
  names: HotRestartNames,
  parts: HotRestartParts,
  codec: MessageCodec,
): BoundNames | string {
  const { options, clock, log, uid } = parts;
  const udp = { ...names, socketPath: `${names.socketPath}_udp` };
  const wanted = [
    socketName(names, "parent", options.epoch),
    socketName(names, "child", options.epoch),
    socketName(udp, "parent", options.epoch),
    socketName(udp, "child", options.epoch),
  ];
  const bound: DescriptorSocket[] = [];
  for (const name of wanted) {
    const result = DescriptorSocket.bind(name, options.socketMode);
    if (result.ok) {
      bound.push(result.socket);
      continue;
    }
    for (const socket of bound) socket[Symbol.dispose]();
    return `unable to bind domain socket with base_id=${names.baseId}, id=${options.epoch}, errno=${result.errno} (see --base-id option): '${name}': ${strerror(result.errno)}`;
  }
  const [parent, child, ...rest] = bound as [DescriptorSocket, DescriptorSocket];
  for (const socket of rest as DescriptorSocket[])
    socket.onDatagram(({ descriptors }) => closeDescriptors(descriptors));
  const common = { codec, clock, log, uid };
  const asParent = new MessageSocket(parent, common);
  const asChild = new MessageSocket(child, common);
  return { names, sockets: { asParent, asChild }, all: [asParent, asChild, ...rest] };
}

function isSameSocket(one: number, other: number): boolean {
  return fstatSync(one).ino === fstatSync(other).ino;
}

function linkTo(parts: HotRestartParts, bound: BoundNames, codec: MessageCodec): ParentLink {
  return new ParentLink({
    socket: bound.sockets.asChild,
    codec,
    clock: parts.clock,
    name: socketName(bound.names, "parent", parts.options.epoch - 1),
    onLost: (reason) => parts.log.warning(`hot restart: the parent is lost: ${reason}`),
  });
}

async function find(parent: ParentLink, { clock, options }: HotRestartParts): Promise<boolean> {
  for (let i = 0; i < findTriesMax; i++) {
    if (await parent.test()) return true;
    if (options.skipsOnNoParent) return false;
    await new Promise<void>((resolve) => void clock.startTimer(findEveryMs, resolve));
  }
  return false;
}
