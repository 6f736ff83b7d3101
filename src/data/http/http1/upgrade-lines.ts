/** The two lines that ask for another protocol over HTTP/1, or grant it (RFC 9110 §7.8). */
import { latin1 } from "./ascii.ts";
import { headers } from "./header-table.ts";
import type { HeadWriter } from "./head-writer.ts";
import { knownHeader } from "./known-headers.ts";

const connectionLine = latin1("connection: upgrade\r\n");
const upgradeName = latin1("upgrade: ");

/** As the Upgrade field of the table has it, which is of one hop alone and so not copied with the others; else `type`. */
export function writeUpgrade(writer: HeadWriter, type: string): void {
  writer.put(connectionLine);
  writer.put(upgradeName);
  const row = upgradeRow();
  if (row < 0) writer.text(type);
  else writer.copy(headers.valueStart[row] as number, headers.valueEnd[row] as number);
  writer.endLine();
}

function upgradeRow(): number {
  for (let i = 0; i < headers.count; i++) {
    if (headers.id[i] === knownHeader.upgrade) return i;
  }
  return -1;
}
