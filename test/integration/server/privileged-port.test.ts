import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tcpBootstrap } from "../../support/sluice-program.ts";

/** The lowest port that anyone may bind; ports below it are privileged. */
const startFile = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
const privilegedPort = 81;
/** Root gives the right up for the program alone; anybody else has none. */
const withoutRight = ["setpriv", "--bounding-set=-net_bind_service"];

test("a privileged port is one message that names it, and code 1", { skip: reason() }, () => {
  const bootstrap = JSON.stringify(tcpBootstrap(1, privilegedPort));
  const command = ["bin/sluice", "--config-yaml", bootstrap, "--mode", "init_only"];
  const [program = "", ...args] = isRoot() ? [...withoutRight, ...command] : command;
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 1, stderr);
  assert.match(
    stderr,
    /error adding listener 'tcp': cannot bind '127.0.0.1:81': Permission denied/,
  );
  assert.doesNotMatch(stderr, /^\s+at /m);
});

function reason(): string | false {
  if (process.platform !== "linux") return "ports are privileged in another way here";
  if (Number(readFileSync(startFile, "utf8")) <= privilegedPort)
    return "no port is privileged here";
  const canGiveUp = !isRoot() || spawnSync("setpriv", ["--version"]).status === 0;
  return canGiveUp ? false : "root cannot give its rights up without setpriv";
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
