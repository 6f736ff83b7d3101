/** How names of a message's fields go out over HTTP/1: as its sender spelled them, else as this side wants them. */
import type { HeaderCase } from "../../../shared/config/http1-options.ts";
import type { HeadWriter } from "./head-writer.ts";
import { fieldsStart, properCaseLines } from "./proper-case.ts";
import type { SpelledNames } from "./spelled-names.ts";

/** Of the head that the writer holds. */
export function writeNames(
  writer: HeadWriter,
  { kind }: HeaderCase,
  spelled: SpelledNames | undefined,
): void {
  if (spelled !== undefined) spelled.write(writer.buffer, fieldsStart(writer), writer.at);
  else if (kind === "proper") properCaseLines(writer.bytes, fieldsStart(writer), writer.at);
}
