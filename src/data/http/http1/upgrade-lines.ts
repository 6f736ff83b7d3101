/** The two lines that ask for another protocol over HTTP/1, or grant it (RFC 9110 §7.8). */
import { latin1 } from "./ascii.ts";
import { headers } from "./header-table.ts";
import type { HeadWriter } from "./head-writer.ts";

const connectionLine = latin1("connection: upgrade\r\n");
const upgradeName = latin1("upgrade: ");

/** `row`: of the Upgrade field, which is of this hop alone and so not copied with the others. */
export function writeUpgrade(writer: HeadWriter, row: number): void {
  writer.put(connectionLine);
  if (row < 0 || row >= headers.count) return;
  writer.put(upgradeName);
  writer.copy(headers.valueStart[row] as number, headers.valueEnd[row] as number);
  writer.endLine();
}
