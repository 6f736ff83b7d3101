/**
 * `Listener.filter_chain_matcher`: a tree that looks at a connection and names the filter chain for it. Names are what chains
 * are found by, so each has one and no two the same.
 */
import type { StringValue } from "@bufbuild/protobuf/wkt";
import type { Matcher } from "../../../gen/es/xds/type/matcher/v3/matcher_pb.d.ts";
import type { FilterChainConfig } from "../../shared/config/listener-config.ts";
import type { ChainMatchTree, ConnectionInput } from "../../shared/config/match-tree.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type ExtensionKind, findExtension } from "./extensions.ts";
import { type MatchVocabulary, decodeMatchTree } from "./match-trees.ts";

export function decodeChainMatcher(message: Matcher, context: DecodeContext): ChainMatchTree {
  return context.within("cannot create a filter chain matcher", () =>
    decodeMatchTree(message, vocabulary, context),
  );
}

/** Reasons without their prefix `error adding listener '…': `. What the tree names need not be there. */
export function chainNameConflicts(chains: readonly FilterChainConfig[]): readonly string[] {
  const errors = new Set<string>();
  const seen = new Set<string>();
  for (const { name } of chains) {
    if (name === "") errors.add('"name" field is required when using a listener matcher');
    else if (seen.has(name)) errors.add(`"name" field is duplicated with value '${name}'`);
    seen.add(name);
  }
  return [...errors];
}

const inputs: Partial<Record<ExtensionKind, ConnectionInput>> = {
  destinationIpInput: "destinationIp",
  destinationPortInput: "destinationPort",
  sourceIpInput: "sourceIp",
  sourcePortInput: "sourcePort",
  directSourceIpInput: "directSourceIp",
  sourceTypeInput: "sourceType",
  serverNameInput: "serverName",
  transportProtocolInput: "transportProtocol",
  applicationProtocolInput: "applicationProtocol",
};

const vocabulary: MatchVocabulary<ConnectionInput, string> = {
  input(request, context) {
    const found = findExtension("matching input", request, context);
    return found && inputs[found.extension.kind];
  },
  action(request, context) {
    const found = findExtension("filter chain action", request, context);
    const schema = context.protos.schema<StringValue>("google.protobuf.StringValue");
    return found && context.read(found.config, schema)?.value;
  },
};
