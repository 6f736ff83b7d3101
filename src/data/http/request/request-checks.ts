/** What a well-formed request may still not ask of this connection manager. */
import type { ComposerContext } from "../composer/composer-context.ts";
import { dropFields, headers } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { method } from "../http1/request-method.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { asksForUpgrade } from "./upgrade.ts";

const underscore = 0x5f;

/** The reason to refuse it; drops fields that are only to be ignored. */
export function checkRequest(
  head: RequestHead,
  context: ComposerContext,
): LocalReplyReason | undefined {
  const { config } = context;
  const { bytes } = context.reactor.arena;
  if (head.hasFragment) return "fragment";
  if (head.minorVersion === 0 && !config.http1.acceptsHttp10) return "lowVersion";
  if (head.method === method.connect) {
    // What follows the head is the tunnel's, so it can have neither.
    if (head.fields.contentLength > 0) return "contentLength";
    if (head.fields.isChunked) return "transferEncoding";
  } else if (head.hostIndex < 0) {
    const isNamed = head.minorVersion === 0 && config.http1.defaultHostForHttp10 !== "";
    if (!isNamed) return "missingHost";
  }
  // An offer of h2c is declined by answering in HTTP/1.1: what belongs to it goes no further.
  if (head.upgradeIndex >= 0 && !asksForUpgrade(head, bytes))
    dropFields(knownHeader["http2-settings"]);
  if (config.headersWithUnderscores === "allow") return undefined;
  return hasUnderscores(bytes, config.headersWithUnderscores) ? "underscore" : undefined;
}

/** True: refuse. Under `dropHeader` the fields are dropped instead. */
function hasUnderscores(bytes: Uint8Array, mode: "rejectRequest" | "dropHeader"): boolean {
  for (let i = 0; i < headers.count; i++) {
    const end = headers.nameEnd[i] as number;
    let at = headers.nameStart[i] as number;
    while (at < end && bytes[at] !== underscore) at++;
    if (at === end) continue;
    if (mode === "rejectRequest") return true;
    headers.isDropped[i] = 1;
  }
  return false;
}
