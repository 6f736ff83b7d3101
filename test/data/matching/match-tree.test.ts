import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { compileMatchTree } from "../../../src/data/matching/match-tree.ts";
import type {
  IpRangeEntry,
  MatchBranch,
  MatchEntry,
  MatchPredicate,
  MatchTree,
  OnMatch,
} from "../../../src/shared/config/match-tree.ts";

type Input = "name" | "ip";
type Data = Readonly<Record<Input, string | undefined>>;
type Tree = MatchTree<Input, string>;
type Then = OnMatch<Input, string>;

const evaluate = (tree: Tree, data: Data): string | undefined =>
  compileMatchTree<Data, Input, string>(tree, (input) => (values) => values[input])(data);

const action = (name: string, keepsMatching = false): Then => ({
  keepsMatching,
  leadsTo: { kind: "action", action: name },
});
const nobody: Data = { name: undefined, ip: undefined };
const list = (matchers: readonly (readonly [string, Then])[], onNoMatch?: Then): Tree => ({
  branch: {
    kind: "list",
    matchers: matchers.map(([value, onMatch]) => ({
      predicate: {
        kind: "single",
        input: "name",
        test: { kind: "string", matcher: { kind: "exact", value, ignoreCase: false } },
      },
      onMatch,
    })),
  },
  onNoMatch,
});

test("keep_matching passes what was found, in every place", () => {
  const data = { ...nobody, name: "abc" };
  const kept = action("kept", true);
  assert.equal(
    evaluate(
      list([
        ["abc", kept],
        ["abc", action("next")],
      ]),
      data,
    ),
    "next",
  );
  assert.equal(evaluate(list([["abc", kept]], action("rest")), data), "rest");
  assert.equal(evaluate(list([], kept), data), undefined);
  const inTree: Then = {
    keepsMatching: true,
    leadsTo: { kind: "tree", tree: list([["abc", action("inner")]]) },
  };
  assert.equal(evaluate(list([["abc", inTree]], action("rest")), data), "rest");
  const branch = (kind: "exactMap" | "prefixMap"): Tree => ({
    branch: {
      kind,
      input: "name",
      entries: [
        ["abc", kept],
        ["a", action("a")],
      ],
    },
    onNoMatch: action("rest"),
  });
  assert.equal(evaluate(branch("exactMap"), data), "rest");
  assert.equal(evaluate(branch("prefixMap"), data), "a");
});

test("a prefix that is the whole value counts, a longer one does not", () => {
  const tree: Tree = {
    branch: {
      kind: "prefixMap",
      input: "name",
      entries: [
        ["ab", action("ab")],
        ["abc", action("abc")],
        ["", action("any")],
      ],
    },
    onNoMatch: undefined,
  };
  assert.equal(evaluate(tree, { ...nobody, name: "ab" }), "ab");
  assert.equal(evaluate(tree, { ...nobody, name: "" }), "any");
  assert.equal(evaluate(tree, nobody), undefined);
});

// The property: the compiled tree finds what a plain reading of the tree finds first.

const anyName = fc.constantFrom("", "a", "ab", "a.test", "b.a.test", "test");
const anyIp = fc.constantFrom("10.0.0.1", "10.0.1.1", "192.0.2.1", "2001:db8::1", "none");
const anyAction = fc.constantFrom("one", "two", "three");
const anyRange = fc.oneof(
  fc.record({
    ip: fc.constantFrom("10.0.0.0", "192.0.0.0"),
    prefixLength: fc.constantFrom(0, 8, 24, 32),
  }),
  fc.record({ ip: fc.constant("2001:db8::"), prefixLength: fc.constantFrom(0, 32, 127) }),
);

const { tree: anyTree } = fc.letrec<{
  tree: Tree;
  onMatch: Then;
  predicate: MatchPredicate<Input>;
}>((tie) => {
  const input = fc.constantFrom<Input>("name", "ip");
  const entries = (key: fc.Arbitrary<string>): fc.Arbitrary<MatchEntry<Input, string>[]> =>
    fc.uniqueArray(fc.tuple(key, tie("onMatch")), { maxLength: 4, selector: ([one]) => one });
  const domains = fc.constantFrom("a.test", "*.test", "*.a.test", "*", "test");
  return {
    tree: fc.record({
      branch: fc.oneof<fc.Arbitrary<MatchBranch<Input, string>>[]>(
        fc.constant({ kind: "empty" }),
        fc.record({
          kind: fc.constant("list"),
          matchers: fc.array(fc.record({ predicate: tie("predicate"), onMatch: tie("onMatch") }), {
            maxLength: 3,
          }),
        }),
        fc.record({
          kind: fc.constantFrom("exactMap", "prefixMap"),
          input,
          entries: entries(fc.oneof(anyName, fc.constantFrom("10.", "10.0.0.1"))),
        }),
        fc.record({
          kind: fc.constant("ipRanges"),
          input,
          ranges: fc.array(
            fc.record({
              ranges: fc.array(anyRange, { minLength: 1, maxLength: 2 }),
              isExclusive: fc.boolean(),
              onMatch: tie("onMatch"),
            }),
            { maxLength: 3 },
          ),
        }),
        fc.record({ kind: fc.constant("serverNames"), input, entries: entries(domains) }),
      ),
      onNoMatch: fc.option(tie("onMatch"), { nil: undefined, freq: 1 }),
    }),
    onMatch: fc.record({
      keepsMatching: fc.boolean(),
      leadsTo: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.record({ kind: fc.constant("action"), action: anyAction }),
        fc.record({ kind: fc.constant("tree"), tree: tie("tree") }),
      ),
    }),
    predicate: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      fc.record({
        kind: fc.constant("single"),
        input,
        test: fc.oneof(
          fc.record({
            kind: fc.constant("string"),
            matcher: fc.record({
              kind: fc.constantFrom("exact", "prefix", "suffix", "contains"),
              value: anyName,
              ignoreCase: fc.boolean(),
            }),
          }),
          fc.record({
            kind: fc.constant("ip"),
            ranges: fc.array(anyRange, { minLength: 1, maxLength: 2 }),
          }),
        ),
      }),
      fc.record({
        kind: fc.constantFrom("or", "and"),
        predicates: fc.array(tie("predicate"), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant("not"), predicate: tie("predicate") }),
    ),
  };
});

test("compileMatchTree() equals a plain reading of the tree", () => {
  const found = new Map<string | undefined, number>();
  fc.assert(
    fc.property(
      anyTree,
      fc.record({
        name: fc.option(anyName, { nil: undefined }),
        ip: fc.option(anyIp, { nil: undefined }),
      }),
      (tree, data) => {
        const [expected] = readTree(tree, data);
        assert.equal(evaluate(tree, data), expected);
        found.set(expected, (found.get(expected) ?? 0) + 1);
      },
    ),
    { numRuns: 5_000 },
  );
  const matched = 5_000 - (found.get(undefined) ?? 0);
  assert(matched > 300, `only ${matched} of the runs matched anything`);
});

/** Every action that the tree leads to, the best first. */
function readTree({ branch, onNoMatch }: Tree, data: Data): readonly string[] {
  const candidates = [...readBranch(branch, data), ...(onNoMatch ? [onNoMatch] : [])];
  return candidates.flatMap((one) => readOnMatch(one, data));
}

function readOnMatch({ keepsMatching, leadsTo }: Then, data: Data): readonly string[] {
  if (keepsMatching) return [];
  return leadsTo.kind === "action" ? [leadsTo.action] : readTree(leadsTo.tree, data);
}

function readBranch(branch: MatchBranch<Input, string>, data: Data): readonly Then[] {
  if (branch.kind === "empty") return [];
  if (branch.kind === "list")
    return branch.matchers.filter((one) => holds(one.predicate, data)).map((one) => one.onMatch);
  const value = data[branch.input];
  if (value === undefined) return [];
  if (branch.kind === "ipRanges") return readRanges(branch.ranges, value);
  const isCandidate = (key: string): boolean => {
    if (branch.kind === "exactMap") return key === value;
    if (branch.kind === "prefixMap") return value.startsWith(key);
    return key === value || key === "*" || (key.startsWith("*.") && value.endsWith(key.slice(1)));
  };
  const rank = (key: string): number => (key === value ? Infinity : key.length);
  return branch.entries
    .filter(([key]) => isCandidate(key))
    .toSorted(([a], [b]) => rank(b) - rank(a))
    .map(([, onMatch]) => onMatch);
}

function readRanges(
  ranges: readonly IpRangeEntry<Input, string>[],
  value: string,
): readonly Then[] {
  const holding = ranges
    .flatMap((entry) => entry.ranges.map((range) => ({ entry, range })))
    .filter(({ range }) => isInRange(value, range))
    .toSorted((a, b) => b.range.prefixLength - a.range.prefixLength);
  return holding
    .filter(({ entry }, index) => index === 0 || !entry.isExclusive)
    .map(({ entry }) => entry.onMatch);
}

function isInRange(value: string, range: { readonly ip: string; readonly prefixLength: number }) {
  const family = (ip: string) => (ip.includes(":") ? "ipv6" : "ipv4");
  if (value === "none" || !/[.:]/.test(value) || /[a-z]$/.test(value)) return false;
  const subnet = new BlockList();
  subnet.addSubnet(range.ip, range.prefixLength, family(range.ip));
  return family(value) === family(range.ip) && subnet.check(value, family(value));
}

function holds(predicate: MatchPredicate<Input>, data: Data): boolean {
  switch (predicate.kind) {
    case "not":
      return !holds(predicate.predicate, data);
    case "or":
      return predicate.predicates.some((one) => holds(one, data));
    case "and":
      return !predicate.predicates.some((one) => !holds(one, data));
    case "single": {
      const value = data[predicate.input];
      if (value === undefined) return false;
      const { test: wanted } = predicate;
      if (wanted.kind === "ip") return wanted.ranges.some((range) => isInRange(value, range));
      assert(wanted.matcher.kind !== "regex");
      const escaped = RegExp.escape(wanted.matcher.value);
      const before = ["exact", "prefix"].includes(wanted.matcher.kind) ? "^" : "";
      const after = ["exact", "suffix"].includes(wanted.matcher.kind) ? "$" : "";
      return new RegExp(`${before}${escaped}${after}`, wanted.matcher.ignoreCase ? "i" : "").test(
        value,
      );
    }
    default:
      return predicate satisfies never;
  }
}
