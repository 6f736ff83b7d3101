/** The leak run in small: visits of every kind, and nothing of them is left. `npm run leaks` is the long one. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { TestAuthority } from "../../support/certificates.ts";
import { leakBootstrap } from "../../support/leak-bootstrap.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { until } from "../../support/until.ts";
import { visitKinds, Visitor } from "../../support/visits.ts";

test("connections broken off at every step of the way in leave nothing behind", async () => {
  using authority = new TestAuthority();
  await using proxy = await ProxyProcess.start(leakBootstrap(authority.issue(["DNS:a.test"])));
  const ports = await proxy.listenerPorts();
  const visitor = await Visitor.create({
    plain: ports.get("plain") ?? 0,
    secured: ports.get("secured") ?? 0,
  });
  const gauges = ["plain", "secured"].flatMap((name) =>
    ["downstream_cx_active", "downstream_pre_cx_active"].map(
      (gauge) => `listener.${name}.${gauge}`,
    ),
  );
  const settled = async (): Promise<void> => {
    for (const gauge of gauges)
      await until(async () => (await proxy.stat(gauge)) === 0, `${gauge} is 0`);
  };
  const descriptors = (): number => readdirSync(`/proc/${proxy.pid}/fd`).length;
  for (const kind of visitKinds) await visitor.visit(kind);
  await settled();
  const before = process.platform === "linux" ? descriptors() : 0;
  for (let round = 0; round < 8; round++)
    await Promise.all(visitKinds.map((kind) => visitor.visit(kind)));
  await settled();
  if (process.platform === "linux")
    await until(() => descriptors() <= before, `no more than ${before} descriptors`);
  assert.equal(await proxy.stat("listener.secured.downstream_pre_cx_timeout"), 0);
});
