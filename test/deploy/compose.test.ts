import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { load } from "js-yaml";
import { findGo, GoControlPlane } from "../../src/cli/go-control-plane.ts";
import { unknownFlags } from "../support/known-flags.ts";

/** The compose example has to agree with itself: ports, files and names stand in four places. */
interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly image?: string;
  readonly command: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly expose?: readonly string[];
  readonly depends_on?: readonly string[];
}

const folder = "deploy";
const { services } = load(readFileSync("deploy/compose.yaml", "utf8")) as {
  services: Readonly<Record<string, Service>>;
};
const bootstrapText = readFileSync("deploy/compose/bootstrap.yaml", "utf8");
const bootstrap = load(bootstrapText) as { node: { id: string } };
const snapshotText = readFileSync("deploy/compose/snapshot.json", "utf8");
const hasCompose = spawnSync("docker", ["compose", "version"]).status === 0;
const go = await findGo();

test(
  "docker compose takes the file",
  { skip: !hasCompose && "docker compose is not there" },
  () => {
    const args = ["compose", "--file", "deploy/compose.yaml", "config", "--quiet"];
    const { status, stderr } = spawnSync("docker", args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  },
);

test("the restarter is added to a service that is there, with flags that exist", () => {
  const overlay = load(readFileSync("deploy/compose.restarter.yaml", "utf8")) as {
    services: Readonly<Record<string, Service>>;
  };
  for (const [name, service] of Object.entries(overlay.services)) {
    assert(services[name], name);
    assert.deepEqual(unknownFlags(`sluice ${service.command.join(" ")}`), []);
  }
});

test("every file that a service needs is there, every service it waits for too", () => {
  for (const [name, service] of Object.entries(services)) {
    assert.equal(
      Number(service.build !== undefined) + Number(service.image !== undefined),
      1,
      name,
    );
    for (const volume of service.volumes ?? [])
      assert(existsSync(path.join(folder, volume.split(":")[0] ?? "")), `${name}: ${volume}`);
    for (const other of service.depends_on ?? []) assert(services[other], `${name}: ${other}`);
    if (!service.build) continue;
    const { context, dockerfile } = service.build;
    assert(existsSync(path.join(folder, context, dockerfile)), `${name}: ${dockerfile}`);
  }
});

test("addresses name a service and a port that it serves", () => {
  for (const text of [bootstrapText, snapshotText]) {
    for (const [host, port] of socketAddresses(load(text))) {
      if (host === "0.0.0.0") assert(publishes("sluice", port), `${port} is not published`);
      else assert(servesInside(host, port), `${host}:${port} is nothing that a service serves`);
    }
  }
});

test("the proxy gets flags that it has, and the control plane its node", () => {
  assert.deepEqual(unknownFlags(services["sluice"]?.command.join(" ") ?? ""), []);
  assert(services["control-plane"]?.command.includes(`-node=${bootstrap.node.id}`));
});

test(
  "go-control-plane takes the first snapshot",
  {
    skip: go === undefined && "Go is not installed",
  },
  async () => {
    const source = path.resolve("test/interop/go-control-plane");
    await using controlPlane = await GoControlPlane.start(source, bootstrap.node.id);
    const versions = await controlPlane.push(JSON.parse(snapshotText) as object);
    const untouched = ["extension_configs", "runtime", "scoped_routes", "secrets", "virtual_hosts"];
    assert.deepEqual(versions, {
      clusters: "1",
      listeners: "1",
      routes: "1",
      endpoints: "0",
      ...Object.fromEntries(untouched.map((kind) => [kind, "0"])),
    });
  },
);

function publishes(service: string, port: number): boolean {
  return (services[service]?.ports ?? []).some((mapping) => mapping.endsWith(`:${port}`));
}

/** A port of its command line (`-xds=:18000`), or one that it exposes. */
function servesInside(name: string, port: number): boolean {
  const service = services[name];
  if (!service) return false;
  return (
    service.command.some((word) => word.endsWith(`=:${port}`)) ||
    (service.expose ?? []).includes(String(port))
  );
}

function socketAddresses(value: unknown): [string, number][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    if (key !== "socket_address") return socketAddresses(inner);
    const { address, port_value: port } = inner as { address: string; port_value: number };
    return [[address, port] as [string, number]];
  });
}
