import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, type ServiceError, credentials, status } from "@grpc/grpc-js";
import type {
  ClientStatusRequest,
  ClientStatusResponse,
} from "../../../gen/es/envoy/service/status/v3/csds_pb.d.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { ProxyProcess } from "../../support/proxy-process.ts";
import { PushingServer } from "../../support/pushing-server.ts";
import { SluiceProgram } from "../../support/sluice-program.ts";
import {
  dynamicBootstrap,
  httpListener,
  routesTo,
  staticCluster,
} from "../../support/truth-resources.ts";
import { until } from "../../support/until.ts";

const protos = createProtoRegistry();
const requestSchema = protos.schema<ClientStatusRequest>(
  "envoy.service.status.v3.ClientStatusRequest",
);
const responseSchema = protos.schema<ClientStatusResponse>(
  "envoy.service.status.v3.ClientStatusResponse",
);
const service = "/envoy.service.status.v3.ClientStatusDiscoveryService";
const write = (request: ClientStatusRequest) => Buffer.from(toBinary(requestSchema, request));
const read = (bytes: Buffer) => fromBinary(responseSchema, bytes);

suite("client status service", () => {
  const open = new AsyncDisposableStack();
  let controlPlane: PushingServer;
  let proxy: ProxyProcess;
  let client: Client;

  before(async () => {
    controlPlane = open.use(await PushingServer.start());
    controlPlane.offer("clusters", [staticCluster("web", 1)]);
    controlPlane.offer("listeners", [httpListener("good", { route_config: routesTo("web") })]);
    const flags = ["--admin-grpc-address", "127.0.0.1:0", "--component-log-level", "main:info"];
    proxy = open.use(await ProxyProcess.start(dynamicBootstrap(controlPlane.address), flags));
    const address = await until(
      () => /admin gRPC address: (127\.0\.0\.1:\d+)/.exec(proxy.log)?.[1],
      "the service is up",
    );
    client = open.adopt(new Client(address, credentials.createInsecure()), (it) => it.close());
  });

  after(() => open.disposeAsync());

  function fetchStatus(init: object): Promise<ClientStatusResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientStatusResponse>();
    const request = create(requestSchema, init);
    client.makeUnaryRequest(
      `${service}/FetchClientStatus`,
      write,
      read,
      request,
      (error, value) => {
        if (error || !value) reject(error ?? new Error("no answer"));
        else resolve(value);
      },
    );
    return promise;
  }

  test("FetchClientStatus tells what serves, what was refused and what was skipped", async () => {
    const verdict = await controlPlane.push("listeners", [
      httpListener("good", { route_config: routesTo("web") }),
      httpListener("bad", { route_config: routesTo("nowhere") }),
    ]);
    assert.equal(verdict.kind, "nacked");
    await controlPlane.accepted("clusters", [staticCluster("web", 1), staticCluster("control", 2)]);
    const [config] = (await fetchStatus({})).config;
    assert.equal(config?.node?.id, "n");
    const resources = new Map(config.genericXdsConfigs.map((each) => [each.name, each]));
    const good = resources.get("good");
    assert.equal(good?.clientStatus, 3);
    assert.equal(good.typeUrl, "type.googleapis.com/envoy.config.listener.v3.Listener");
    assert.equal(good.xdsConfig?.typeUrl, good.typeUrl);
    assert(good.xdsConfig.value.length > 0 && good.versionInfo !== "");
    assert.equal(good.errorState, undefined);
    const bad = resources.get("bad");
    assert.equal(bad?.clientStatus, 4);
    assert.equal(bad.xdsConfig, undefined);
    assert.match(bad.errorState?.details ?? "", /unknown cluster 'nowhere'/);
    assert(bad.errorState?.failedConfiguration);
    const control = resources.get("control");
    assert.deepEqual([control?.clientStatus, control?.isStaticResource], [3, true]);
    assert.match(control?.errorState?.details ?? "", /^skipped: the bootstrap has a cluster/);
  });

  test("contents are left out on request, matchers are refused", async () => {
    const [config] = (await fetchStatus({ excludeResourceContents: true })).config;
    assert(config?.genericXdsConfigs.every((each) => each.xdsConfig === undefined));
    await assert.rejects(fetchStatus({ nodeMatchers: [{}] }), (error: ServiceError) => {
      assert.equal(error.code, status.INVALID_ARGUMENT);
      return true;
    });
  });

  test("StreamClientStatus answers each request once, in order", async () => {
    const stream = client.makeBidiStreamRequest(`${service}/StreamClientStatus`, write, read);
    const answers: ClientStatusResponse[] = [];
    stream.on("data", (answer: ClientStatusResponse) => answers.push(answer));
    for (const excludeResourceContents of [false, true, false])
      stream.write(create(requestSchema, { excludeResourceContents }));
    stream.end();
    await once(stream, "end");
    const hasContents = answers.map(({ config }) =>
      config.some((each) => each.genericXdsConfigs.some(({ xdsConfig }) => xdsConfig)),
    );
    assert.deepEqual(hasContents, [true, false, true]);
  });
});

test("an address that cannot be bound is one message and code 1", async () => {
  const files = { "b.yaml": "node: {id: n, cluster: c}" };
  const flags = ["--admin-grpc-address", "256.0.0.1:1"];
  await using sluice = new SluiceProgram(["-c", "b.yaml", "--concurrency", "1", ...flags], {
    files,
  });
  assert.equal(await sluice.exit, 1);
  assert.match(sluice.stderr, /--admin-grpc-address: cannot bind '256\.0\.0\.1:1'/);
});
