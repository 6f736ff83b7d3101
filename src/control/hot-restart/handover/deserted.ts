/**
 * Whether the directory is nobody's: asked by a process that drains when its line to the one that took over has ended.
 * That one may have died, or only the line; and a third one may serve by then.
 */
import { DescriptorStream } from "../../../shared/io/descriptor-stream.ts";
import { errnoOf } from "../../../shared/io/syscalls.ts";
import { type HandoverParts, reconfigPath } from "./directory.ts";

const retryMs = 20;
/** A process that dies closes its sockets one after another. */
const triesMax = 50;

/** `pid`: whoever took over. */
export async function isDeserted(
  { options, clock }: Pick<HandoverParts, "options" | "clock">,
  pid: number,
): Promise<boolean> {
  for (let i = 0; i < triesMax; i++) {
    const probe = DescriptorStream.connect(reconfigPath(options));
    if (typeof probe === "number")
      return probe === errnoOf.ENOENT || probe === errnoOf.ECONNREFUSED;
    const isOther = probe.peer?.pid !== pid;
    probe[Symbol.dispose]();
    if (isOther) return false;
    await new Promise<void>((resolve) => void clock.startTimer(retryMs, resolve));
  }
  return false;
}
