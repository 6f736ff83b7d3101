import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionStage } from "../support/session-stage.ts";

/** Make before break (xDS protocol, "Eventual consistency considerations"), on an aggregated stream. */
const types = ["RDS", "LDS", "EDS", "CDS"] as const;

function before(variant: "sotw" | "delta"): {
  stage: SessionStage;
  ackAll: () => readonly string[];
} {
  const stage = new SessionStage(variant);
  for (const type of types) stage.offer(type, { old: "1" });
  const isDelta = variant === "delta";
  for (const type of ["CDS", "LDS"])
    if (isDelta) stage.askDelta(type);
    else stage.ask(type);
  for (const type of ["EDS", "RDS"])
    if (isDelta) stage.askDelta(type, { subscribe: ["old", "new"] });
    else stage.ask(type, { resourceNames: ["old", "new"] });
  /** Answers everything that is open; gives what came of it. */
  const ackAll = (): readonly string[] => {
    const said: string[] = [];
    for (let round = 0; round < 10; round++)
      for (const { typeUrl, nonce, version, resources, removedNames } of stage.taken()) {
        const type = types.find((one) => typeUrl.includes(kindOf[one])) ?? typeUrl;
        const names = [...resources.map(({ name }) => name), ...removedNames.map((n) => `-${n}`)];
        said.push(`${type} ${names.join()}`);
        const resourceNames = type === "EDS" || type === "RDS" ? ["old", "new"] : [];
        if (isDelta) stage.askDelta(type, { nonce });
        else stage.ask(type, { nonce, version, resourceNames });
      }
    return said;
  };
  ackAll();
  return { stage, ackAll };
}

const kindOf = { CDS: "Cluster", EDS: "ClusterLoad", LDS: "Listener", RDS: "Route" };

test("delta: additions by rank, and what was referred to goes when all of them are answered", () => {
  const { stage, ackAll } = before("delta");
  for (const type of types) stage.offer(type, { new: "1" });
  stage.push();
  const pushed = stage.taken().map(({ typeUrl, nonce, resources, removedNames }) => ({
    typeUrl,
    nonce,
    text: [...resources.map(({ name }) => name), ...removedNames.map((n) => `-${n}`)].join(),
  }));
  assert.deepEqual(
    pushed.map(({ text }) => text),
    ["new", "new", "new,-old", "new,-old"],
    "clusters and endpoints keep the old, listeners and routes do not",
  );
  assert.deepEqual(stage.session.verdictOn(pushed[0]?.typeUrl ?? ""), { kind: "waiting" });
  for (const { typeUrl, nonce } of pushed) stage.askDelta(typeUrl, { nonce });
  assert.deepEqual(ackAll(), ["EDS -old", "CDS -old"]);
});

test("state of the world: clusters that are gone stay in the response until the rest is answered", () => {
  const { stage, ackAll } = before("sotw");
  for (const type of types) stage.offer(type, { new: "1" });
  stage.push();
  assert.deepEqual(ackAll(), ["CDS new,old", "EDS new", "LDS new", "RDS new", "CDS new"]);
});

test("a removal alone goes at once", () => {
  for (const variant of ["sotw", "delta"] as const) {
    const { stage } = before(variant);
    stage.offer("CDS", {}).push();
    assert.deepEqual(stage.said(), [variant === "sotw" ? "CDS" : "CDS  -old"]);
  }
});
