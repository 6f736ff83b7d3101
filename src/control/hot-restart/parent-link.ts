/**
 * The generation before, as its child sees it. One question after another, each with a deadline: a parent that does not
 * answer, or not as it should, is lost for good, and the child opens its own sockets.
 */
import type { Clock } from "../../shared/common/clock.ts";
import { closeDescriptors } from "../../shared/io/descriptor-socket.ts";
import { strerror } from "../../shared/io/syscalls.ts";
import type { HotRestartReply, MessageCodec, PlainRequest } from "./message-codec.ts";
import type { MessageSocket } from "./message-socket.ts";

/** As Envoy's for a listening socket. */
const replyMsMax = 5_000;
/** How often it is looked whether who is to answer is alive. */
const lookEveryMs = 50;

export interface ParentLinkParts {
  readonly socket: MessageSocket;
  readonly codec: MessageCodec;
  readonly clock: Clock;
  /** Where the parent listens. */
  readonly name: string;
  /** Once, with the reason. */
  readonly onLost: (reason: string) => void;
}

type ReplyValues = { readonly [Reply in HotRestartReply as Reply["case"]]: Reply["value"] };

interface Answered<Kind extends keyof ReplyValues> {
  readonly value: ReplyValues[Kind];
  readonly descriptors: readonly number[];
}

interface Answer {
  readonly reply: HotRestartReply | undefined;
  readonly descriptors: readonly number[];
}

export class ParentLink {
  readonly #parts: ParentLinkParts;
  #isLost = false;
  #waiting: ((answer: Answer) => void) | undefined;
  #asking: Promise<unknown> = Promise.resolve();

  constructor(parts: ParentLinkParts) {
    this.#parts = parts;
    parts.socket.onMessage((message, descriptors) => {
      const { requestreply } = message;
      const reply = requestreply.case === "reply" ? requestreply.value.reply : undefined;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) closeDescriptors(descriptors);
      else waiting({ reply: reply?.case === undefined ? undefined : reply, descriptors });
    });
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Asked for now, or lost already. */
  get hasEnded(): boolean {
    const { socket, name } = this.#parts;
    return this.#isLost || !socket.isThere(name);
  }

  /** Whether anybody is there. */
  async test(): Promise<boolean> {
    const { socket, codec, name } = this.#parts;
    return (await socket.send(name, codec.plainRequest("testConnection"))) === 0;
  }

  /** A descriptor, the caller's from now on; undefined where the parent has none for that address and worker. */
  async takeListenSocket(address: string, worker: number): Promise<number | undefined> {
    const { codec } = this.#parts;
    const answer = await this.#ask(codec.passListenSocket(address, worker), "passListenSocket");
    const [first, ...rest] = answer?.descriptors ?? [];
    closeDescriptors(rest);
    return first;
  }

  /** When the first generation started, in seconds since 1970; the parent's admin is closed. */
  async shutdownAdmin(): Promise<number | undefined> {
    const { codec } = this.#parts;
    const answer = await this.#ask(codec.plainRequest("shutdownAdmin"), "shutdownAdmin");
    return answer && Number(answer.value.originalStartTimeUnixSeconds);
  }

  async stats() {
    return (await this.#ask(this.#parts.codec.plainRequest("stats"), "stats"))?.value;
  }

  drainListeners(): Promise<void> {
    return this.#tell("drainListeners");
  }

  /** Nothing is asked of it afterwards. */
  async terminate(): Promise<void> {
    await this.#tell("terminate");
    this.#isLost = true;
  }

  async #tell(kind: PlainRequest): Promise<void> {
    const { socket, codec, name } = this.#parts;
    if (this.#isLost) return;
    const error = await socket.send(name, codec.plainRequest(kind));
    if (error !== 0) this.#lose(strerror(error));
  }

  #ask<Kind extends keyof ReplyValues>(
    request: Uint8Array,
    kind: Kind,
  ): Promise<Answered<Kind> | undefined> {
    const answered = this.#asking.then(() => this.#askNow(request, kind));
    this.#asking = answered;
    return answered;
  }

  async #askNow<Kind extends keyof ReplyValues>(
    request: Uint8Array,
    kind: Kind,
  ): Promise<Answered<Kind> | undefined> {
    const { socket, clock, name } = this.#parts;
    if (this.#isLost) return undefined;
    const answered = Promise.withResolvers<Answer | string>();
    this.#waiting = answered.resolve;
    using _timer = clock.startTimer(replyMsMax, () =>
      answered.resolve(`no answer within ${replyMsMax / 1000} s`),
    );
    using _looks = this.#lookForIt(() => answered.resolve("it has ended"));
    const error = await socket.send(name, request);
    if (error !== 0) answered.resolve(strerror(error));
    const answer = await answered.promise;
    this.#waiting = undefined;
    if (typeof answer === "string") {
      this.#lose(answer);
      return undefined;
    }
    const { reply, descriptors } = answer;
    if (reply?.case === kind) return { value: reply.value as ReplyValues[Kind], descriptors };
    closeDescriptors(descriptors);
    this.#lose(`it did not answer ${kind} as such`);
    return undefined;
  }

  /** A dead parent answers nothing, and while it is waited for nobody serves. */
  #lookForIt(onGone: () => void): Disposable {
    const { socket, clock, name } = this.#parts;
    let timer: Disposable;
    const look = (): void => {
      timer = clock.startTimer(lookEveryMs, () => {
        if (!socket.isThere(name)) return onGone();
        look();
      });
    };
    look();
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #lose(reason: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#parts.onLost(reason);
  }
}
