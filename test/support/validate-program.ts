/** `--mode validate` of the program under test: `bin/sluice`, or what SLUICE_TEST_PROXY names. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";

export interface Verdict {
  readonly isAccepted: boolean;
  readonly output: string;
}

export function validateBootstrap(bootstrap: object, folder: string): Verdict {
  const file = path.join(folder, "judged.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  const program = process.env["SLUICE_TEST_PROXY"] ?? path.resolve("bin/sluice");
  const flags = ["--mode", "validate", "-c", file, "-l", "warning"];
  const { status, stdout, stderr } = spawnSync(program, flags, { encoding: "utf8" });
  return { isAccepted: status === 0, output: `${stdout}${stderr}` };
}
