/** h2spec, which holds a server of HTTP/2 to RFC 9113 and RFC 7541: a Go program, installed once by name and version. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { findGo } from "../../src/cli/go-control-plane.ts";

const execute = promisify(execFile);
const version = "v2.2.1+incompatible";
const folder = path.resolve("node_modules/.cache/sluice", `h2spec-${version}`);
const program = path.join(folder, "h2spec");
/** Of all that one run may take; each case has 2 s. */
const runTimeMs = 240_000;

export type FoundH2spec = { readonly program: string } | { readonly missing: string };

/** Where it cannot be had, in words why. */
export async function findH2spec(): Promise<FoundH2spec> {
  if (existsSync(program)) return { program };
  if ((await findGo()) === undefined) return { missing: "there is no go on the path" };
  const module = `github.com/summerwind/h2spec/cmd/h2spec@${version}`;
  try {
    await execute("go", ["install", module], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: "" },
      timeout: 240_000,
    });
    return { program };
  } catch (error) {
    return { missing: `h2spec could not be installed: ${String(error)}` };
  }
}

export interface H2specReport {
  readonly cases: number;
  /** Section, and what was to happen. */
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** Every case, strict ones included, against a server on loopback. */
export async function runH2spec(
  { program: h2spec }: { readonly program: string },
  port: number,
  { isTls }: { readonly isTls: boolean },
): Promise<H2specReport> {
  const reports = await mkdtemp(path.join(tmpdir(), "sluice-h2spec-"));
  const report = path.join(reports, "report.xml");
  const secured = isTls ? ["--tls", "--insecure"] : [];
  const args = ["--strict", "--port", String(port), "--junit-report", report, ...secured];
  try {
    // It ends with 1 where a case fails: the report says which.
    await execute(h2spec, args, { timeout: runTimeMs, maxBuffer: 2 ** 26 }).catch(() => {});
    return readReport(readFileSync(report, "utf8"));
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
}

function readReport(xml: string): H2specReport {
  const cases = [
    ...xml.matchAll(
      /<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs,
    ),
  ];
  const named = (mark: string): string[] =>
    cases
      .filter(([, , , content = ""]) => content.includes(mark))
      .map(([, section, title]) => `${section}: ${title}`);
  return {
    cases: cases.length,
    failed: [...named("<failure"), ...named("<error")],
    skipped: named("<skipped"),
  };
}
