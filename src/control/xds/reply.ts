/** How a response is answered: one ACK or NACK for all of it, with every error in it. */
import { nouns } from "./comparison.ts";
import type { RejectedResource, ResourceType } from "./resource-batch.ts";

export type TypeWords = Pick<ResourceType<unknown>, "shortName" | "rejectionPrefix">;

export type Reply = { readonly kind: "ack" } | { readonly kind: "nack"; readonly detail: string };

/** A NACK longer than this would not pass a server's default limit of 4 MiB for one message. */
const detailCharactersMax = 1 << 20;

/** There is no NACK of one resource, so the one there is names them all. */
export function replyTo(rejected: readonly RejectedResource[], type: TypeWords): Reply {
  if (rejected.length === 0) return { kind: "ack" };
  const noun = nouns.get(type.shortName);
  const prefix =
    type.rejectionPrefix ?? (noun === undefined ? "" : `Error adding/updating ${noun}(s) `);
  const lines: string[] = [];
  let characters = prefix.length;
  for (const { name, errors } of rejected) {
    const line = name === "" ? errors.join("; ") : `${name}: ${errors.join("; ")}`;
    characters += line.length + 1;
    if (characters > detailCharactersMax) break;
    lines.push(line);
  }
  const left = rejected.length - lines.length;
  if (left > 0) lines.push(`and ${left} more`);
  return { kind: "nack", detail: prefix + lines.join("\n") };
}
