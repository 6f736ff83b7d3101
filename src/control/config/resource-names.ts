/** Names of single resources that another resource waits for: routes of a listener, endpoints of a cluster. */
import { isXdstpName, readXdstpName } from "../proto/xdstp-name.ts";
import type { DecodeContext } from "./decode-context.ts";

/** A plain name may be anything; one that says `xdstp:` has to be such a name. */
export function judgeResourceName(name: string, context: DecodeContext): void {
  const read = isXdstpName(name) ? readXdstpName(name) : undefined;
  if (read && !read.ok) context.refuse(read.error);
}
