/**
 * `ignore_http_11_upgrade`: what a client asks for with words that match is as if it had not been asked for. A server
 * may always ignore an Upgrade field (RFC 9110 §7.8).
 */
import { headers, headerText } from "./header-table.ts";
import { requestHead } from "./request-head.ts";

/** Takes the words that match out of the Upgrade field of the head that was parsed last. */
export function dropUpgrades(
  buffer: Buffer,
  ignored: readonly ((word: string) => boolean)[],
): void {
  const { upgradeIndex } = requestHead;
  const words = headerText(buffer, upgradeIndex)
    .split(",")
    .map((word) => word.trim());
  const kept = words.filter((word) => !ignored.some((test) => test(word)));
  if (kept.length === words.length) return;
  if (kept.length === 0) {
    requestHead.upgradeIndex = -1;
    requestHead.fields.saysUpgrade = false;
    return;
  }
  const start = headers.valueStart[upgradeIndex] as number;
  headers.valueEnd[upgradeIndex] = start + buffer.write(kept.join(","), start, "latin1");
}
