/**
 * `envoy.filters.http.header_mutation`. Its mutations are applied one after another, removals among additions, where
 * those of routes remove first.
 */
import type { HeaderMutation as MutationMessage } from "../../../gen/es/envoy/config/common/mutation_rules/v3/mutation_rules_pb.d.ts";
import type { HeaderMutation } from "../../../gen/es/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.d.ts";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { HeaderMutations } from "../../shared/config/route-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderMutations } from "./header-mutations.ts";

export const headerMutationTypeName =
  "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation" as const;

export function decodeHeaderMutationFilter(
  { mutations }: HeaderMutation,
  context: DecodeContext,
): PlainHttpFilterConfig {
  const decode = (messages: readonly MutationMessage[] = []): readonly HeaderMutations[] =>
    messages.map((message) => decodeMutation(message, context));
  return {
    kind: "headerMutation",
    request: decode(mutations?.requestMutations),
    response: decode(mutations?.responseMutations),
  };
}

function decodeMutation({ action }: MutationMessage, context: DecodeContext): HeaderMutations {
  if (action.case === "append") return decodeHeaderMutations([action.value], [], context);
  // The validation rules require one of them.
  return decodeHeaderMutations([], action.value === undefined ? [] : [action.value], context);
}
