import { globSync, readFileSync } from "node:fs";

/**
 * Which flags of a command line `bin/sluice` does not have: for documents and units, which go
 * stale when a flag is renamed. Read from the flag table's text, so that a test of documents needs
 * nothing of the program itself.
 */
const flagTable = "src/control/server/flag-table.ts";
const restarterOptions = "src/cli/restarter/restarter-options.ts";

export function unknownFlags(commandLine: string): string[] {
  const subcommand = /^(?:\S*\/)?sluice (\w[\w-]*)/.exec(commandLine)?.[1];
  // What comes after `--` is a command line of its own: the restarter's.
  const [own = "", ...others] = commandLine.split(" -- ");
  const unknown = others.filter((other) => !other.startsWith("COMMAND")).flatMap(unknownFlags);
  if (subcommand !== undefined) return [...unknownOfSubcommand(own, subcommand), ...unknown];
  const table = readFileSync(flagTable, "utf8");
  const known = new Set([...table.matchAll(/\bname: "([a-z-]+)"/g)].map(([, name]) => name));
  const short = new Set([...table.matchAll(/\bshort: "(\w)"/g)].map(([, name]) => name));
  // A flag that a text names alone may be the restarter's: nearly all of its page is about them.
  if (commandLine.startsWith("--"))
    for (const [, name = ""] of readFileSync(restarterOptions, "utf8").matchAll(
      /^  --([a-z-]+) /gm,
    ))
      known.add(name);
  return commandLine.split(/\s+/).filter((word) => {
    const long = /^--([a-z][a-z-]*)/.exec(word)?.[1];
    if (long !== undefined) return !known.has(long);
    const letter = /^-(\w)$/.exec(word)?.[1];
    return letter !== undefined && !short.has(letter);
  });
}

/** Read from the text of its usage, for the same reason. */
function unknownOfSubcommand(commandLine: string, subcommand: string): string[] {
  const files = globSync([
    `src/cli/${subcommand}/{main,*-options}.ts`,
    `src/${subcommand}/main.ts`,
  ]);
  const program = files.map((file) => readFileSync(file, "utf8")).join("\n");
  return [...commandLine.matchAll(/(?<=\s|\[)--[a-z-]+/g)]
    .map(([flag]) => flag)
    .filter((flag) => !program.includes(`  ${flag} `));
}
