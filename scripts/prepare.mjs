// Makes a bare checkout ready, then runs the command it is given: `node scripts/prepare.mjs <command> [args]`.
// Runs on any Node >= 20 with nothing installed; everything after it runs on the pinned Node.
// Each step says what it does, and is skipped when what it makes is there and current.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const say = (line) => process.stderr.write(`prepare: ${line}\n`);

/** One hash over files, so that a step is repeated exactly when its input has changed. */
function fingerprint(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(readFileSync(path.join(root, file)));
  return hash.digest("hex");
}

function isCurrent(stampFile, value) {
  const file = path.join(root, stampFile);
  return existsSync(file) && readFileSync(file, "utf8") === value;
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], ...options });
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${result.status}`);
}

/** Dependencies, without their install scripts: nothing here needs one. */
function install() {
  const stamp = "node_modules/.sluice-installed";
  const want = fingerprint(["package.json", "package-lock.json"]);
  if (isCurrent(stamp, want)) return;
  say("installing dependencies (npm install, about 20 seconds, once)");
  const npm = process.env.npm_execpath;
  // Not `npm ci`: it begins by deleting node_modules, also where all but one package is there. This one
  // keeps to the lock file as well, and never writes it.
  const args = [
    "install",
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  if (npm?.endsWith(".js")) run(process.execPath, [npm, ...args]);
  else run(npm ?? "npm", args);
  writeFileSync(path.join(root, stamp), want);
}

/** The Node that runs the project: this one if it is new enough, else the pinned package. */
function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  const pinned = path.join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  if (existsSync(pinned)) return pinned;
  throw new Error(
    `Node ${process.versions.node} is too old and no packaged Node 24 fits ${process.platform}-${process.arch}: install Node 24 or newer`,
  );
}

/** Everything that is made from the .proto files: descriptors and their TypeScript types. */
function generate(node) {
  const inputs = ["scripts/generate.mjs", "package-lock.json", ...protoFiles()];
  const want = fingerprint(inputs.filter((file) => existsSync(path.join(root, file))));
  if (!existsSync(path.join(root, "scripts/generate.mjs")) || isCurrent("gen/.stamp", want)) return;
  say("generating protobuf descriptors and types (about 5 seconds, once)");
  run(node, ["scripts/generate.mjs"]);
  mkdirSync(path.join(root, "gen"), { recursive: true });
  writeFileSync(path.join(root, "gen/.stamp"), want);
}

/**
 * Bundles the programs: they start in half the time. Without the sources or the bundler there is nothing to do. False: the
 * sources have a fault, and are run as they are.
 */
function build(node) {
  const bundler = path.join(root, "node_modules/esbuild/package.json");
  if (!existsSync(path.join(root, "src")) || !existsSync(bundler)) return true;
  const want = fingerprint(["scripts/build.mjs", "package-lock.json", "gen/.stamp", ...sources()]);
  if (isCurrent("dist/.stamp", want)) {
    // A checkout of another branch and back leaves the same sources with a later date, by which `bin/sluice` goes.
    const now = new Date();
    utimesSync(path.join(root, "dist/.stamp"), now, now);
    return true;
  }
  say("building dist/ (about a second, once)");
  try {
    run(node, ["scripts/build.mjs"]);
  } catch (error) {
    say(error.message);
    return false;
  }
  writeFileSync(path.join(root, "dist/.stamp"), want);
  return true;
}

const sources = () => filesIn("src", ".ts");
const protoFiles = () => filesIn("proto", ".proto");

function filesIn(folder, suffix) {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(suffix))
    .map((file) => path.join(folder, file))
    .sort();
}

/** Runs the command with the right Node first on the path, and ends as it ends. */
function hand(node, [command, ...args]) {
  const bins = [path.dirname(node), path.join(root, "node_modules/.bin")];
  const env = { ...process.env, PATH: [...bins, process.env.PATH].join(path.delimiter) };
  const child = spawn(command === "node" ? node : command, args, {
    cwd: root,
    stdio: "inherit",
    env,
  });
  // The terminal signals the whole group; what a supervisor sends to us alone is passed on.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => fail(`cannot run ${command}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

function fail(message) {
  say(message);
  process.exit(1);
}

try {
  install();
  const node = findNode();
  generate(node);
  const isBuilt = build(node);
  const command = process.argv.slice(2);
  if (command.length > 0) hand(node, command);
  else if (!isBuilt) process.exitCode = 1;
} catch (error) {
  fail(error.message);
}
