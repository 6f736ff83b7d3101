/** What goes to a client of HTTP/1: counted, and spelled as the configuration wants it. */
import type { Socket } from "../../../shared/io/reactor.ts";
import type { HttpContext } from "../http-context.ts";
import { httpStat } from "../stat-offsets.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import { latin1 } from "./ascii.ts";
import { MessageSender } from "./message-sender.ts";
import { writeNames } from "./name-case.ts";
import { properCaseLines } from "./proper-case.ts";
import type { SpelledNames } from "./spelled-names.ts";

const continueHead = latin1("HTTP/1.1 100 Continue\r\n\r\n");

export class ClientOutput {
  readonly #context: HttpContext;
  readonly #socket: Socket;
  readonly #sender: MessageSender;

  constructor(context: HttpContext, socket: Socket) {
    this.#context = context;
    this.#socket = socket;
    this.#sender = new MessageSender(this, context.writer, context.reactor.arena);
  }

  write(start: number, end: number): void {
    this.#context.add(httpStat.cxTxBytes, end - start);
    this.#socket.write(start, end);
  }

  /** As the methods of `ResponseSink`. */
  sendHead(body: BodyPart, isChunked: boolean, names: SpelledNames | undefined): void {
    const { writer, config } = this.#context;
    const { headerCase } = config.http1;
    if (names !== undefined || headerCase.kind !== "lower") writeNames(writer, headerCase, names);
    this.#sender.sendHead(writer, body, isChunked);
  }

  sendBody(start: number, end: number, isEnd: boolean): void {
    this.#sender.sendBody(start, end, isEnd);
  }

  sendTrailers(start: number, end: number): void {
    const { config, reactor } = this.#context;
    const { headerCase, trailers } = config.http1;
    if (headerCase.kind === "proper") properCaseLines(reactor.arena.bytes, start, end);
    if (trailers) this.#sender.sendTrailers(start, end);
    else this.#sender.sendBody(end, end, true);
  }

  sayContinue(): void {
    const { writer } = this.#context;
    writer.begin();
    writer.put(continueHead);
    this.write(writer.start, writer.at);
  }
}
