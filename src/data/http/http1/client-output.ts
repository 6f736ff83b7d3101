/** What goes to a client of HTTP/1 is spelled as the configuration wants it. No object of its own: idle connections are many. */
import type { HttpContext } from "../http-context.ts";
import { latin1 } from "./ascii.ts";
import type { ByteSink } from "./joined-bytes.ts";
import type { MessageSender } from "./message-sender.ts";
import { writeNames } from "./name-case.ts";
import { properCaseLines } from "./proper-case.ts";
import type { SpelledNames } from "./spelled-names.ts";

const continueHead = latin1("HTTP/1.1 100 Continue\r\n\r\n");

/** The head that the writer holds. `names`: as a host spelled them. */
export function spellHead({ writer, config }: HttpContext, names: SpelledNames | undefined): void {
  const { headerCase } = config.http1;
  if (names !== undefined || headerCase.kind !== "lower") writeNames(writer, headerCase, names);
}

/** The lines arena[start, end), where trailers are let through; and the end. */
export function sendTrailersTo(
  sender: MessageSender,
  { config, reactor }: HttpContext,
  start: number,
  end: number,
): void {
  const { headerCase, trailers } = config.http1;
  if (headerCase.kind === "proper") properCaseLines(reactor.arena.bytes, start, end);
  if (trailers) sender.sendTrailers(start, end);
  else sender.sendBody(end, end, true);
}

export function sayContinue(sink: ByteSink, { writer }: HttpContext): void {
  writer.begin();
  writer.put(continueHead);
  sink.write(writer.start, writer.at);
}
