import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Fault, FaultKind } from "../../../src/xds-server/faults/fault.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { ResourceReader } from "../../../src/xds-server/resource-reader.ts";
import { get } from "../../support/http-client.ts";
import { HttpUpstream } from "../../support/http-upstream.ts";
import { type OfferedResources, offered } from "../../support/offered-resources.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { typeUrlOf } from "../../support/session-stage.ts";
import { until } from "../../support/until.ts";
import {
  cluster,
  endpoints,
  httpListener,
  routes,
  variantBootstrap,
  xdsVariants,
} from "../../support/xds-resources.ts";

/**
 * The whole proxy under a control plane that misbehaves: each fault hits the push of a listener. What worked goes
 * on, the proxy says why it did not take it, and the next good push is taken. `SLUICE_TEST_PROXY=envoy` runs it
 * against Envoy.
 */
interface Expected {
  readonly fault: Omit<Fault, "kind">;
  /** What the NACK says; `undefined`: there is none to come. */
  readonly refused?: RegExp;
  /** Envoy cannot read the wrapper of delta, and opens another stream; Sluice refuses the one resource. */
  readonly mayLoseStream?: true;
  /** The push is taken all the same. */
  readonly isTaken?: true;
  /** The stream is no good any more, and another is opened. */
  readonly isStreamLost?: true;
}

const once = { times: 1 };

const faults: Readonly<Partial<Record<FaultKind, Expected>>> = {
  delay: { fault: { ...once, delayMs: 50 }, isTaken: true },
  duplicate: { fault: once, isTaken: true },
  repeat: { fault: once, isTaken: true },
  flood: { fault: { ...once, count: 500 }, isTaken: true },
  wrong_nonce: { fault: once, isTaken: true },
  reused_nonce: { fault: once, isTaken: true },
  unasked_type: { fault: once, isTaken: true },
  goaway: { fault: once, isTaken: true },
  drop: { fault: once },
  reorder: { fault: once },
  other_any: { fault: once, refused: /type URL|Cluster/ },
  duplicate_names: { fault: once, refused: /duplicate/i },
  invalid_content: { fault: once, refused: /first/ },
  broken_resource: { fault: once, refused: /parse|first/ },
  huge_resource: { fault: once, refused: /parse|first/ },
  non_utf8_name: { fault: once, refused: /UTF-8|unpack/, mayLoseStream: true },
  deep_nesting: { fault: once, refused: /parse|first|deep/i },
  wrong_type_url: { fault: once },
  truncate: { fault: { ...once, bytes: 40 }, isStreamLost: true },
  garbage: { fault: once, isStreamLost: true },
  huge_length: { fault: once, isStreamLost: true },
  close: { fault: once, isStreamLost: true },
  reset: { fault: once, isStreamLost: true },
  half_dead: { fault: once },
};

const lds = typeUrlOf("LDS");

for (const variant of xdsVariants.filter(({ adsConfig }) => adsConfig !== undefined))
  suite(`a hostile control plane over ${variant.name}`, () => {
    const reader = new ResourceReader();
    const started = new AsyncDisposableStack();
    let server: ManagementServer;
    let proxy: ProxyProcess;
    let upstream: HttpUpstream;
    let generation = 0;

    before(async () => {
      upstream = started.use(await HttpUpstream.start("up"));
      server = started.use(await ManagementServer.start({ protos: reader.protos }));
      push({
        clusters: [cluster("web")],
        endpoints: [endpoints("web", upstream.port)],
        routes: [routes("r", "web", "v1")],
        listeners: [httpListener("steady", "r")],
      });
      const bootstrap = variantBootstrap("n", `127.0.0.1:${server.port}`, variant);
      proxy = started.use(await ProxyProcess.start(bootstrap));
      await serves("steady");
    });

    after(() => started.disposeAsync());

    function push(resources: OfferedResources): void {
      server.setTypes(offered(reader, resources));
    }

    async function serves(name: string): Promise<void> {
      const port = await until(
        async () => (await proxy.listenerPorts()).get(name),
        `${name} listens; the log:\n${proxy.log}`,
      );
      assert.equal((await get(port)).body, "up");
    }

    function refusal(): string | undefined {
      const types = server.clients().flatMap((client) => client.types);
      return types.find(({ typeUrl }) => typeUrl === lds)?.nacked?.error;
    }

    async function isRefused(reason: RegExp, canEnd: () => boolean): Promise<void> {
      const error = await until(() => refusal() ?? (canEnd() && "another stream"), "it is refused");
      if (error !== "another stream") assert.match(error, reason);
    }

    /** A stream of its own for each fault: what was said on the last one is forgotten. */
    async function begin(): Promise<void> {
      server.faults.clear();
      const seen = server.clientsSeen;
      server.dropStreams();
      await until(() => server.clientsSeen > seen, "the proxy comes back");
      await server.awaitAnswer(lds);
    }

    for (const [kind, expected] of Object.entries(faults) as [FaultKind, Expected][])
      test(`${kind}: what worked goes on, and the next good push is taken`, async () => {
        const { fault, refused, isTaken, isStreamLost, mayLoseStream = false } = expected;
        await begin();
        server.faults.set([{ kind, typeUrl: lds, ...fault }]);
        const seen = server.clientsSeen;
        const name = `first-${++generation}`;
        // The spoiled one is the first: by its name the refusal tells of it.
        push({ listeners: [httpListener(name, "r"), httpListener("steady", "r")] });
        const isLost = (): boolean => mayLoseStream && server.clientsSeen > seen;
        if (refused) await isRefused(refused, isLost);
        if (isTaken) await serves(name);
        if (isStreamLost) await until(() => server.clientsSeen > seen, "another stream is opened");
        await serves("steady");
        server.faults.clear();
        if (kind === "half_dead") server.dropStreams();
        push({ listeners: [httpListener("steady", "r"), httpListener(`good-${generation}`, "r")] });
        await serves(`good-${generation}`);
        await serves("steady");
        assert.equal(await proxy.stat("listener_manager.listener_modified"), 0);
      });

    test("a connection that trickles is slow, and right", async () => {
      server.faults.set([{ kind: "slow", bytesPerS: 20_000 }]);
      server.resetConnections();
      push({ listeners: [httpListener("steady", "r"), httpListener("slow", "r")] });
      await serves("slow");
    });
  });
