import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeResponse, type PlannedResponse } from "../../src/xds-server/planned-response.ts";
import { sotwSession } from "../../src/xds-server/session.ts";
import type { Verdict } from "../../src/xds-server/verdict.ts";
import { versionOf } from "../../src/xds-server/resource-version.ts";
import type { ServedResource } from "../../src/xds-server/discovery-wire.ts";
import { readDiscoveryResponse } from "../../src/control/xds/discovery-response.ts";
import { writeDiscoveryRequest } from "../../src/control/xds/discovery-request.ts";
import { textResource } from "../support/text-resources.ts";

const lds = "type.googleapis.com/envoy.config.listener.v3.Listener";
const rds = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/** One client's session with its far end in hand. */
function start() {
  const resources = new Map<string, readonly ServedResource[]>();
  const sent: { version: string; nonce: string; names: string }[] = [];
  const verdicts: Verdict[] = [];
  const session = sotwSession({ resourcesFor: (typeUrl) => resources.get(typeUrl) });
  const send = (responses: readonly PlannedResponse[]): void => {
    for (const response of responses) {
      const read = readDiscoveryResponse(encodeResponse(response));
      assert(read.ok);
      const { version, nonce } = read.value;
      sent.push({ version, nonce, names: read.value.resources.map(({ name }) => name).join() });
    }
  };
  return {
    session,
    sent,
    verdicts,
    set: (typeUrl: string, texts: Readonly<Record<string, string>>) => {
      const old = new Map(
        (resources.get(typeUrl) ?? []).map((resource) => [resource.name, resource]),
      );
      resources.set(
        typeUrl,
        Object.entries(texts).map(([name, text]) => {
          const bytes = textResource(name, text);
          const known = old.get(name);
          return known && Buffer.compare(known.bytes, bytes) === 0
            ? known
            : { name, typeUrl, bytes };
        }),
      );
      send(session.push());
    },
    ask: (request: Partial<Parameters<typeof writeDiscoveryRequest>[0]>) => {
      const node = new Uint8Array([10, 1, 110]);
      const blank = {
        version: "",
        node,
        resourceNames: [],
        typeUrl: lds,
        nonce: "",
        error: undefined,
      };
      const received = session.receive(writeDiscoveryRequest({ ...blank, ...request }));
      if (received.answer) verdicts.push(received.answer);
      send(received.responses);
    },
  };
}

test("a wildcard client gets everything, also nothing, and each change once", () => {
  const { set, ask, sent } = start();
  ask({});
  assert.equal(sent.length, 0, "what was never set is unknown, not empty");
  set(lds, {});
  set(lds, { a: "1", b: "1" });
  set(lds, { b: "1", a: "1" });
  set(lds, { b: "1" });
  assert.deepEqual(
    sent.map(({ names }) => names),
    ["", "a,b", "b"],
  );
});

test("a client that names resources gets those, when they are there and when they change", () => {
  const { set, ask, sent } = start();
  ask({ typeUrl: rds, resourceNames: ["a"] });
  assert.equal(sent.length, 0);
  set(rds, { a: "1", other: "1" });
  set(rds, { a: "1", other: "2" });
  set(rds, { a: "2", other: "2" });
  assert.deepEqual(
    sent.map(({ names }) => names),
    ["a", "a"],
  );
  const { nonce = "", version = "" } = sent.at(-1) ?? {};
  ask({ typeUrl: rds, resourceNames: ["a", "other"], nonce, version });
  assert.equal(sent.at(-1)?.names, "other", "routes are no full state: only what is new");
});

test("what a client says counts only if it answers the last response", () => {
  const { set, ask, sent, verdicts, session } = start();
  set(lds, {});
  ask({});
  set(lds, { a: "1" });
  ask({ nonce: "1", version: sent[0]?.version ?? "" });
  assert.deepEqual(session.verdictOn(lds), { kind: "waiting" });
  ask({ nonce: "2", version: "", error: "no" });
  const nack = { kind: "nacked", version: sent[1]?.version ?? "", error: "no" } as const;
  assert.deepEqual(session.verdictOn(lds), nack);
  assert.deepEqual(verdicts, [{ kind: "acked", version: sent[0]?.version ?? "" }, nack]);
  assert.equal(sent.length, 2, "what was refused is not sent again unchanged");
});

test("a client that comes back with the current version is not sent it again", () => {
  const { set, ask, sent, session } = start();
  const resources = [{ name: "a", typeUrl: lds, bytes: textResource("a", "1") }];
  set(lds, { a: "1" });
  ask({ version: versionOf(resources) });
  assert.deepEqual(sent, []);
  assert.equal(session.verdictOn(lds)?.kind, "acked");
});
