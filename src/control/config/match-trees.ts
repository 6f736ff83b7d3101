/**
 * Matcher trees: `xds.type.matcher.v3.Matcher`, for whoever says what may be looked at and what may be done.
 *
 * What a newcomer would get wrong: a part that cannot be read is refused and left out, so what is returned then is no tree
 * to use; the context knows.
 */
import type { TypedExtensionConfig } from "../../../gen/es/xds/core/v3/extension_pb.d.ts";
import type { Ip } from "../../../gen/es/envoy/extensions/matching/input_matchers/ip/v3/ip_pb.d.ts";
import type {
  Matcher,
  Matcher_MatcherList_Predicate as Predicate,
  Matcher_MatcherList_Predicate_SinglePredicate as SinglePredicate,
  Matcher_MatcherTree as TreeMessage,
  Matcher_MatcherTree_MatchMap as MatchMap,
  Matcher_OnMatch as OnMatchMessage,
} from "../../../gen/es/xds/type/matcher/v3/matcher_pb.d.ts";
import type {
  FieldMatcher,
  MatchBranch,
  MatchEntry,
  MatchPredicate,
  MatchTree,
  OnMatch,
  ValueTest,
} from "../../shared/config/match-tree.ts";
import { decodeCidrRange } from "./addresses.ts";
import { decodeCustomMatcher } from "./custom-matchers.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type ExtensionRequest, findExtension } from "./extensions.ts";
import { decodeStringMatcher } from "./matchers.ts";

/** Undefined: it is none, and refused. */
export interface MatchVocabulary<I, A> {
  input(request: ExtensionRequest, context: DecodeContext): I | undefined;
  action(request: ExtensionRequest, context: DecodeContext): A | undefined;
}

/** Deeper trees are refused: evaluation goes down them, and an Any begins protobuf's own limit anew. */
const depthMax = 16;

export function decodeMatchTree<I, A>(
  message: Matcher,
  vocabulary: MatchVocabulary<I, A>,
  context: DecodeContext,
): MatchTree<I, A> {
  return new MatchTreeDecoder(vocabulary, context).tree(message);
}

const requestOf = (config: TypedExtensionConfig | undefined): ExtensionRequest => ({
  name: config?.name ?? "",
  any: config?.typedConfig,
});

const emptyTree = { branch: { kind: "empty" }, onNoMatch: undefined } as const;

class MatchTreeDecoder<I, A> {
  readonly context: DecodeContext;
  readonly #vocabulary: MatchVocabulary<I, A>;
  #depth = 0;

  constructor(vocabulary: MatchVocabulary<I, A>, context: DecodeContext) {
    this.#vocabulary = vocabulary;
    this.context = context;
  }

  tree({ matcherType, onNoMatch }: Matcher): MatchTree<I, A> {
    if (this.#depth >= depthMax) {
      this.context.refuse(`matchers are nested deeper than ${depthMax}`);
      return emptyTree;
    }
    this.#depth++;
    const branch = this.#branch(matcherType);
    const otherwise = onNoMatch && this.onMatch(onNoMatch);
    this.#depth--;
    return { branch: branch ?? emptyTree.branch, onNoMatch: otherwise };
  }

  onMatch({ onMatch, keepMatching }: OnMatchMessage): OnMatch<I, A> | undefined {
    if (onMatch.case === "matcher") {
      const tree = this.tree(onMatch.value);
      return { keepsMatching: keepMatching, leadsTo: { kind: "tree", tree } };
    }
    const action = this.#vocabulary.action(requestOf(onMatch.value), this.context);
    if (action === undefined) return undefined;
    return { keepsMatching: keepMatching, leadsTo: { kind: "action", action } };
  }

  #branch(type: Matcher["matcherType"]): MatchBranch<I, A> | undefined {
    switch (type.case) {
      case "matcherList":
        return {
          kind: "list",
          matchers: type.value.matchers.flatMap(({ predicate, onMatch }) => {
            // Both are there by the rules of the proto.
            if (!predicate || !onMatch) return [];
            return this.#fieldMatcher(predicate, onMatch);
          }),
        };
      case "matcherTree":
        return this.#treeBranch(type.value);
      case undefined:
        return undefined;
      default:
        return type satisfies never;
    }
  }

  #treeBranch({ input, treeType }: TreeMessage): MatchBranch<I, A> | undefined {
    const read = this.#vocabulary.input(requestOf(input), this.context);
    if (treeType.case === "customMatch") {
      const custom = decodeCustomMatcher(requestOf(treeType.value), this);
      return read === undefined || !custom ? undefined : { ...custom, input: read };
    }
    if (treeType.case === undefined) return undefined;
    const entries = this.#entries(treeType.value);
    const kind = treeType.case === "exactMatchMap" ? "exactMap" : "prefixMap";
    return read === undefined ? undefined : { kind, input: read, entries };
  }

  /** A map has no order: in one, so that equal maps are equal. */
  #entries({ map }: MatchMap): readonly MatchEntry<I, A>[] {
    return Object.keys(map)
      .sort()
      .flatMap((key) => {
        const message = map[key];
        const onMatch = message && this.onMatch(message);
        return onMatch ? [[key, onMatch] as const] : [];
      });
  }

  #fieldMatcher(predicate: Predicate, message: OnMatchMessage): FieldMatcher<I, A>[] {
    const decoded = this.#predicate(predicate);
    const onMatch = this.onMatch(message);
    return decoded && onMatch ? [{ predicate: decoded, onMatch }] : [];
  }

  #predicate({ matchType }: Predicate): MatchPredicate<I> | undefined {
    switch (matchType.case) {
      case "singlePredicate":
        return this.#singlePredicate(matchType.value);
      case "orMatcher":
      case "andMatcher":
        return {
          kind: matchType.case === "orMatcher" ? "or" : "and",
          predicates: matchType.value.predicate.flatMap((one) => this.#predicate(one) ?? []),
        };
      case "notMatcher": {
        const predicate = this.#predicate(matchType.value);
        return predicate && { kind: "not", predicate };
      }
      case undefined:
        return undefined;
      default:
        return matchType satisfies never;
    }
  }

  #singlePredicate({ input, matcher }: SinglePredicate): MatchPredicate<I> | undefined {
    const read = this.#vocabulary.input(requestOf(input), this.context);
    const test: ValueTest | undefined =
      matcher.case === "valueMatch"
        ? { kind: "string", matcher: decodeStringMatcher(matcher.value, this.context) }
        : this.#customTest(requestOf(matcher.value));
    return read === undefined || !test ? undefined : { kind: "single", input: read, test };
  }

  #customTest(request: ExtensionRequest): ValueTest | undefined {
    const found = findExtension("input matcher", request, this.context);
    const schema = this.context.protos.schema<Ip>(
      "envoy.extensions.matching.input_matchers.ip.v3.Ip",
    );
    const message = found && this.context.read(found.config, schema);
    if (!message) return undefined;
    return {
      kind: "ip",
      ranges: message.cidrRanges.map((range) => decodeCidrRange(range, this.context)),
    };
  }
}
