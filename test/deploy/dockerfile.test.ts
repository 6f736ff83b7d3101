import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";

/** The checks that need no daemon and no network; BuildKit's own where it is installed. */
interface Instruction {
  readonly name: string;
  readonly args: string;
}

const dockerfiles = globSync("deploy/*Dockerfile");
const hasBuildx = spawnSync("docker", ["buildx", "inspect"]).status === 0;

test("there are two images", () => {
  assert.deepEqual(dockerfiles.toSorted(), [
    "deploy/Dockerfile",
    "deploy/go-control-plane.Dockerfile",
  ]);
});

for (const file of dockerfiles) {
  const instructions = parse(readFileSync(file, "utf8"));

  test(
    `${file}: BuildKit has nothing to say`,
    {
      skip: !hasBuildx && "docker buildx or its daemon is not there",
    },
    () => {
      const { status, stdout, stderr } = spawnSync(
        "docker",
        ["buildx", "build", "--check", "--file", file, "."],
        { encoding: "utf8" },
      );
      assert.equal(status, 0, stdout + stderr);
    },
  );

  test(`${file}: every instruction is one that Docker knows`, () => {
    const known = /^(ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|LABEL|RUN|USER|WORKDIR)$/;
    for (const { name } of instructions) assert.match(name, known);
    assert.equal(instructions[0]?.name, "FROM");
  });

  test(`${file}: what it copies is there`, () => {
    const ignored = readFileSync(".dockerignore", "utf8").split("\n");
    for (const { args } of of("COPY", instructions)) {
      if (args.startsWith("--from=")) continue;
      for (const source of args.split(/\s+/).slice(0, -1)) {
        assert(existsSync(source), `COPY ${source}`);
        assert(!ignored.includes(source), `COPY ${source} is in .dockerignore`);
      }
    }
  });

  test(`${file}: stages are named before they are used, bases have a version`, () => {
    const stages = new Set<string>();
    for (const { name, args } of instructions) {
      if (name === "FROM") {
        const [, base = "", stage] = /^(\S+)(?: AS (\S+))?$/.exec(args) ?? [];
        assert.match(base, /:\d[\w.-]*$|^scratch$/, `FROM ${args}`);
        if (stage !== undefined) stages.add(stage);
      }
      const from = /^--from=(\S+)/.exec(args)?.[1];
      if (name === "COPY" && from !== undefined) assert(stages.has(from), `COPY ${args}`);
    }
  });

  test(`${file}: what runs is not root, and takes signals itself`, () => {
    const last = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));
    const users = of("USER", last);
    assert.equal(users.length, 1);
    assert.match(users[0]?.args ?? "", /^[1-9]\d*:[1-9]\d*$/);
    // A JSON array is executed; a line would be a child of a shell that keeps SIGTERM to itself.
    for (const { args } of [...of("ENTRYPOINT", last), ...of("CMD", last)])
      assert(Array.isArray(JSON.parse(args)), args);
    assert.equal(of("ENTRYPOINT", last).length, 1);
  });
}

test("the proxy's image starts what it has copied", () => {
  const instructions = parse(readFileSync("deploy/Dockerfile", "utf8"));
  const [program] = JSON.parse(of("ENTRYPOINT", instructions)[0]?.args ?? "[]") as string[];
  assert.equal(program, "/opt/sluice/bin/sluice");
  assert(of("COPY", instructions).some(({ args }) => args === "bin ./bin"));
  assert(existsSync("bin/sluice"));
});

function of(name: string, instructions: readonly Instruction[]): Instruction[] {
  return instructions.filter((instruction) => instruction.name === name);
}

function parse(text: string): Instruction[] {
  const joined = text.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n/g, " ");
  return joined
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = "", ...rest] = line.trim().split(/\s+/);
      return { name, args: rest.join(" ") };
    });
}
