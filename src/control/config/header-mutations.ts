/** Headers that routes, virtual hosts and route configurations add and remove. */
import type { HeaderValueOption } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import { parseCommandFormat } from "../../shared/config/command-format.ts";
import type { HeaderMutations } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";

/** By the numbers of `HeaderValueOption.HeaderAppendAction`. */
const actions = ["append", "addIfAbsent", "overwrite", "overwriteIfExists"] as const;

export function decodeHeaderMutations(
  add: readonly HeaderValueOption[],
  remove: readonly string[],
  context: DecodeContext,
): HeaderMutations {
  for (const name of remove)
    if (isProtected(name)) context.refuse(":-prefixed or host headers may not be removed");
  return {
    add: add.map((option) => decodeOption(option, context)),
    remove: remove.map((name) => name.toLowerCase()),
  };
}

function decodeOption(
  option: HeaderValueOption,
  context: DecodeContext,
): HeaderMutations["add"][number] {
  const { key = "", value = "" } = option.header ?? {};
  // Pseudo-headers and host decide where a request goes; Envoy changes them by rewrites alone.
  if (isProtected(key)) context.refuse(":-prefixed or host headers may not be modified");
  const format = parseCommandFormat(value);
  if (!format.ok) context.refuse(format.error);
  // The older field: absent or true appends, false overwrites (docs: core.v3.HeaderValueOption).
  const action = option.append === false ? "overwrite" : (actions[option.appendAction] ?? "append");
  return { name: key.toLowerCase(), value, action };
}

const isProtected = (name: string): boolean =>
  name.startsWith(":") || name.toLowerCase() === "host";
