import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const isLinux = process.platform === "linux";
const syscalls = path.resolve("src/shared/io/syscalls.ts");

/** Of the mapping that has the address. */
function permissionsAt(address: number): string {
  for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
    const [, start = "", end = "", permissions = ""] = /^(\w+)-(\w+) (\S+)/.exec(line) ?? [];
    const isIt = Number.parseInt(start, 16) <= address && address < Number.parseInt(end, 16);
    if (isIt) return permissions;
  }
  return "";
}

test("before and behind mapped memory nothing may be touched", { skip: !isLinux }, async () => {
  const { mapMemory } = await import("../../../src/shared/io/syscalls.ts");
  const mapping = mapMemory(128 * 1024);
  assert(mapping);
  const { address } = mapping;
  assert.equal(permissionsAt(address), "rw-p");
  assert.equal(permissionsAt(address + 128 * 1024 - 1), "rw-p");
  assert.equal(permissionsAt(address - 1), "---p");
  assert.equal(permissionsAt(address + 128 * 1024), "---p");
});

/** The kernel refuses to write there; C that does so itself, as OpenSSL does, ends with the process. */
test("a call of C that is given too much writes nothing", { skip: !isLinux }, () => {
  const script = `
    import { mapMemory } from ${JSON.stringify(syscalls)};
    import { randomBytes } from ${JSON.stringify(path.resolve("src/shared/io/tls/openssl.ts"))};
    const { address } = mapMemory(65536);
    randomBytes(address, 65536);
    console.log("within");
    randomBytes(address, 65537);
    console.log("beyond");
  `;
  const { stdout, signal } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script],
    { encoding: "utf8" },
  );
  assert.equal(stdout, "within\n");
  assert.equal(signal, "SIGSEGV");
});
