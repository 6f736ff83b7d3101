import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  adminAddressPathOf,
  childCommand,
  completeCommand,
  tellsEpoch,
  validationOf,
} from "../../../src/cli/restarter/child-command.ts";

suite("the command of an epoch", () => {
  test("has its number in every word, and braces where they are doubled", () => {
    const command = ["run", "--at={epoch}", "{epoch}-{epoch}", "{{epoch}}", "{other}"];
    const { program, args } = childCommand(command, { epoch: 7, descriptors: 0 }, {});
    assert.equal(program, "run");
    assert.deepEqual(args, ["--at=7", "7-7", "{epoch}", "{other}"]);
  });

  test("has it in the environment, and nothing that was meant for the restarter", () => {
    const inherited = {
      HOME: "/root",
      RESTART_EPOCH: "4",
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "1",
      WATCHDOG_PID: "2",
      LISTEN_PID: "2",
      LISTEN_FDS: "1",
      LISTEN_FDNAMES: "http",
    };
    const { env } = childCommand(["run"], { epoch: 0, descriptors: 0 }, inherited);
    assert.deepEqual(env, { HOME: "/root", RESTART_EPOCH: "0" });
  });

  test("says to a process with descriptors that they are for itself", () => {
    const inherited = { LISTEN_PID: "2", LISTEN_FDS: "2", LISTEN_FDNAMES: "http:admin" };
    const given = childCommand(["run", "a b"], { epoch: 1, descriptors: 2 }, inherited);
    assert.deepEqual(given.env, {
      RESTART_EPOCH: "1",
      LISTEN_FDS: "2",
      LISTEN_FDNAMES: "http:admin",
    });
    assert.equal(given.program, "/bin/sh");
    assert.deepEqual(given.args.slice(-2), ["run", "a b"]);
  });

  test("of Envoy and Sluice is completed with the epoch, unless it says something of it", () => {
    const added = ["--restart-epoch", "{epoch}"];
    for (const program of ["envoy", "/opt/sluice/bin/sluice"])
      assert.deepEqual(completeCommand([program, "-c", "x"]), [program, "-c", "x", ...added]);
    for (const kept of [
      ["start.sh"],
      ["envoy", "--restart-epoch", "{epoch}"],
      ["envoy", "--restart-epoch={epoch}"],
      ["sluice", "--disable-hot-restart"],
      ["sluice", "--handover-dir", "/run"],
    ])
      assert.deepEqual(completeCommand(kept), kept);
  });

  test("tells its epoch only where the flag does", () => {
    assert(tellsEpoch(["envoy", "--restart-epoch", "{epoch}"]));
    assert(!tellsEpoch(["sluice", "--disable-hot-restart"]));
    assert(!tellsEpoch(["start.sh", "--restart-epoch", "{epoch}"]));
  });
});

test("a configuration is tried by the wanted command, by the command itself, or not at all", () => {
  assert.deepEqual(validationOf(["run"], "check {epoch}"), ["/bin/sh", "-c", "check {epoch}"]);
  const envoy = ["envoy", "-c", "x"];
  assert.deepEqual(validationOf(envoy, undefined), [...envoy, "--mode", "validate"]);
  assert.equal(validationOf(["envoy", "--mode", "init_only"], undefined), undefined);
  assert.equal(validationOf(["start.sh"], undefined), undefined);
});

test("the admin's address is looked for where the command writes it", () => {
  assert.equal(adminAddressPathOf(["envoy", "--admin-address-path", "/run/a"]), "/run/a");
  assert.equal(adminAddressPathOf(["sluice", "--admin-address-path=/run/a"]), "/run/a");
  assert.equal(adminAddressPathOf(["sluice", "-c", "x"]), undefined);
  assert.equal(adminAddressPathOf(["start.sh", "--admin-address-path", "/run/a"]), undefined);
});
