import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { SluiceProgram } from "../../support/sluice-program.ts";
import { until } from "../../support/until.ts";
import {
  dynamicBootstrap,
  httpListener,
  routesTo,
  staticCluster,
} from "../../support/truth-resources.ts";

interface Row {
  readonly type: string;
  readonly name: string;
  readonly answer: string | null;
  readonly state: string;
  readonly awaiting: readonly string[];
  readonly reason: string | null;
}

suite("sluice status", () => {
  const open = new AsyncDisposableStack();
  let controlPlane: PushingServer;
  let proxy: ProxyProcess;

  before(async () => {
    controlPlane = open.use(await PushingServer.start());
    controlPlane.offer("clusters", [staticCluster("web", 1)]);
    controlPlane.offer("listeners", [httpListener("good", { route_config: routesTo("web") })]);
    proxy = open.use(await ProxyProcess.start(dynamicBootstrap(controlPlane.address)));
  });

  after(() => open.disposeAsync());

  async function status(...args: string[]) {
    await using program = new SluiceProgram(["status", "--admin", proxy.adminAddress, ...args]);
    const code = await program.exit;
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  async function rowsOf(name: string): Promise<readonly Row[]> {
    const { code, stdout, stderr } = await status("--json", "--name", `^${name}$`);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { resources: Row[] }).resources;
  }

  test("what serves, warms, was refused and is skipped, each with its reason", async () => {
    const rds = { config_source: { ads: {}, resource_api_version: "V3" }, route_config_name: "r" };
    const verdict = await controlPlane.push("listeners", [
      httpListener("good", { route_config: routesTo("web") }),
      httpListener("bad", { route_config: routesTo("nowhere") }),
      httpListener("slow", { rds }),
    ]);
    assert.equal(verdict.kind, "nacked");
    await controlPlane.accepted("clusters", [staticCluster("web", 1), staticCluster("control", 2)]);
    const [good] = await rowsOf("good");
    assert.deepEqual([good?.answer, good?.state], ["acked", "active"]);
    const [bad, ...others] = await rowsOf("bad");
    assert.deepEqual(others, []);
    assert.deepEqual([bad?.answer, bad?.state], ["nacked", "nacked"]);
    assert.match(bad?.reason ?? "", /unknown cluster 'nowhere'/);
    const [slow] = await rowsOf("slow");
    assert.deepEqual([slow?.state, slow?.awaiting], ["warming", ["rds r"]]);
    const [route] = await rowsOf("r");
    assert.deepEqual([route?.type, route?.state], ["RDS", "requested"]);
    const control = await rowsOf("control");
    assert.deepEqual(
      control.map((row) => [row.state, row.answer]),
      [
        ["active", null],
        ["skipped", "acked"],
      ],
    );
    const dump = await proxy.admin("/config_dump?resource=dynamic_warming_clusters");
    assert.match(dump, /skipped: the bootstrap has a cluster of this name/);
  });

  test("the table names the control plane and every state", async () => {
    const { code, stdout } = await status();
    assert.equal(code, 0);
    assert.match(stdout, /^control .*: open$/m);
    assert.match(stdout, /^TYPE +NAME +VERSION +ANSWER +STATE +SINCE +WHY$/m);
    assert.match(stdout, /^LDS +bad .* NACKed +NACKed .*unknown cluster 'nowhere'$/m);
    assert.match(stdout, /^LDS +slow .* warming .*waits for rds r$/m);
  });

  test("after a stop what would have changed is skipped, and shown", async () => {
    await proxy.admin("/drain_listeners", "POST");
    await until(async () => (await rowsOf("good"))[0]?.state === "stopped", "it is stopped");
    await controlPlane.accepted("listeners", [
      httpListener("late", { route_config: routesTo("web") }),
    ]);
    const [late] = await rowsOf("late");
    assert.deepEqual([late?.answer, late?.state], ["acked", "skipped"]);
    assert.match(late?.reason ?? "", /stopped by the admin/);
  });

  test("where no admin listens it says so in one line, with code 1", async () => {
    await using program = new SluiceProgram(["status", "--admin", "127.0.0.1:1"]);
    assert.equal(await program.exit, 1);
    assert.match(
      program.stderr,
      /^sluice status: cannot reach the admin at 127\.0\.0\.1:1: [^\n]+\n$/,
    );
    await using misused = new SluiceProgram(["status", "--bogus"]);
    assert.equal(await misused.exit, 1);
    assert.match(misused.stderr, /^sluice status: Unknown option '--bogus'/);
  });
});
