import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { suiteNames } from "../bench/options.ts";
import { unknownFlags } from "./support/known-flags.ts";

/** Pages go stale when what they name is renamed. These tests read them as a newcomer would follow them. */
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...globSync("docs/**/*.md"),
  ...globSync("{bench,examples}/**/README.md"),
];
const { scripts, dependencies, devDependencies, optionalDependencies } = JSON.parse(
  readFileSync("package.json", "utf8"),
) as Record<string, Readonly<Record<string, string>>>;

for (const page of pages) {
  const text = readFileSync(page, "utf8");
  const code = [...text.matchAll(/`([^`\n]+)`|^ {4}(\S.*)$/gm)].map((m) => m[1] ?? m[2] ?? "");

  test(`${page} links to what is there`, () => {
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [file = "", anchor] = target.split("#");
      if (/^https?:/.test(target)) continue;
      const linked = path.join(path.dirname(page), file === "" ? path.basename(page) : file);
      assert(existsSync(linked), target);
      if (anchor !== undefined) assert(anchorsOf(linked).includes(anchor), target);
    }
  });

  test(`${page} names files that are there`, () => {
    const first = /^(src|test|docs|bench|deploy|examples|scripts|proto|bin|shared|data|control)\//;
    for (const word of code.flatMap((line) => line.split(/[\s,]+/))) {
      // Dotted folders are made at run time.
      if (!first.test(word) || /[*…]|\/\./.test(word)) continue;
      // The map of the architecture leaves `src/` out.
      assert(existsSync(word) || existsSync(path.join("src", word)), word);
    }
  });

  test(`${page} names npm scripts, suites and flags that are there`, () => {
    for (const line of code) {
      const script = /^npm (?:run (\S+)|(start|test))/.exec(line);
      if (script) assert(scripts?.[script[1] ?? script[2] ?? ""], line);
      const suite = /^npm run bench -- (\w+)/.exec(line)?.[1];
      if (suite !== undefined)
        assert(
          suiteNames.some((name) => name === suite),
          line,
        );
      if (/^((bin\/)?sluice |--?[a-z])/.test(line)) assert.deepEqual(unknownFlags(line), [], line);
    }
  });
}

test("every promise names a test that is there", () => {
  for (const page of ["README.md", "docs/DRAINING.md"]) {
    const rows = tableUnder(/\| promise \| proved by \|$/, readFileSync(page, "utf8"));
    assert(rows.length > 0, page);
    for (const row of rows) {
      const tests = [...row.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, file = ""]) => file);
      assert(tests.length > 0, `a promise without a proof: ${row}`);
      for (const file of tests) assert(existsSync(file), file);
    }
  }
});

test("every dependency has a page that says why", () => {
  const decisions = globSync("docs/decisions/*.md").map((file) => readFileSync(file, "utf8"));
  const named = new Set(
    decisions.flatMap((text) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name)),
  );
  const all = { ...dependencies, ...devDependencies, ...optionalDependencies };
  for (const name of Object.keys(all)) assert(named.has(name), name);
});

function tableUnder(header: RegExp, text: string): string[] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => header.test(line)) + 2;
  if (start < 2) return [];
  const end = lines.findIndex((line, index) => index >= start && !line.startsWith("|"));
  return lines.slice(start, end);
}

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}
