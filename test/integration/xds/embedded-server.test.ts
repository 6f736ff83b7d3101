import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../../gen/es/grpc/reflection/v1/reflection_pb.d.ts";
import type { HealthCheckResponse } from "../../../gen/es/grpc/health/v1/health_pb.d.ts";
import {
  aggregatedDiscovery,
  discoveryServiceOf,
} from "../../../src/control/proto/discovery-services.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";
import { ManagementServer } from "../../../src/xds-server/management-server.ts";
import { servedTypes } from "../../../src/xds-server/resource-types.ts";
import { RawXdsClient } from "../../support/raw-xds-client.ts";
import { textResource } from "../../support/text-resources.ts";

/** Every gRPC service of the embedded server, by a client that is none of ours. */
const protos = createProtoRegistry();

const methods = servedTypes.flatMap(({ shortName, typeUrl }) =>
  [aggregatedDiscovery(), discoveryServiceOf(typeUrl)].flatMap((service) => [
    { shortName, typeUrl, isDelta: false, method: service?.stream },
    { shortName, typeUrl, isDelta: true, method: service?.delta },
  ]),
);

for (const { shortName, typeUrl, isDelta, method } of methods) {
  // Virtual hosts alone have no stream of the state of the world.
  if (!method) continue;
  test(`${shortName} by ${method.path}: asked, answered, changed`, async () => {
    await using server = await ManagementServer.start({ protos });
    const set = (text: string): void =>
      server.setResources(typeUrl, [{ name: "a", typeUrl, bytes: textResource("a", text) }]);
    set("one");
    using client = new RawXdsClient(server.port, method);
    const names = ["a"];
    if (isDelta) client.askDelta(shortName, { subscribe: names });
    else client.ask(shortName, { resourceNames: names });
    const answer = () => (isDelta ? client.deltaResponse() : client.response());
    const first = await answer();
    assert.deepEqual([first.typeUrl, first.resources.map(({ name }) => name)], [typeUrl, ["a"]]);
    const { nonce, version } = first;
    if (isDelta) client.askDelta(shortName, { nonce });
    else client.ask(shortName, { nonce, resourceNames: names, version });
    const [{ verdict } = { verdict: undefined }] = await server.awaitAnswer(typeUrl);
    assert.equal(verdict?.kind, "acked");
    set("two");
    const second = await answer();
    assert.notEqual(second.nonce, first.nonce);
    assert.match(Buffer.from(second.resources[0]?.bytes ?? []).toString(), /two/);
  });
}

test("bytes that are no request cost that stream alone, and it says why", async () => {
  await using server = await ManagementServer.start({ protos });
  server.setResources("t/x", []);
  const method = aggregatedDiscovery().stream;
  using good = new RawXdsClient(server.port, method);
  using bad = new RawXdsClient(server.port, method);
  bad.send(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]));
  assert.equal((await bad.end()).code, 3);
  server.setResources(servedTypes[0]?.typeUrl ?? "", []);
  good.ask("CDS");
  assert.equal((await good.response()).resources.length, 0);
});

test("resources of one node, or of a cluster, lie over those of all", async () => {
  await using server = await ManagementServer.start({ protos });
  const [{ typeUrl } = { typeUrl: "" }] = servedTypes;
  const resource = (name: string, text: string) => ({
    name,
    typeUrl,
    bytes: textResource(name, text),
  });
  server.setResources(typeUrl, [resource("a", "all"), resource("b", "all")]);
  server.setResources(typeUrl, [resource("b", "mine"), resource("c", "mine")], "raw");
  server.setResources(typeUrl, [resource("d", "other's")], "other");
  using client = new RawXdsClient(server.port, aggregatedDiscovery().stream);
  client.ask("CDS");
  const { resources } = await client.response();
  assert.deepEqual(
    resources.map(({ name, bytes }) => [name, Buffer.from(bytes).toString().includes("mine")]),
    [
      ["a", false],
      ["b", true],
      ["c", true],
    ],
  );
});

test("health: the server and each of its services serve, others are unknown", async () => {
  await using server = await ManagementServer.start({ protos });
  const schema = protos.schema<HealthCheckResponse>("grpc.health.v1.HealthCheckResponse");
  using client = closing(server.port);
  const check = (service: string): Promise<number> =>
    new Promise((resolve) => {
      const request = Buffer.of(0x0a, service.length, ...Buffer.from(service));
      const same = (bytes: Buffer): Buffer => bytes;
      const path = "/grpc.health.v1.Health/Check";
      client.grpc.makeUnaryRequest(path, same, same, request, (error, answer) =>
        resolve(error ? -error.code : fromBinary(schema, answer ?? Buffer.alloc(0)).status),
      );
    });
  assert.equal(await check(""), 1);
  assert.equal(await check("envoy.service.discovery.v3.AggregatedDiscoveryService"), 1);
  assert.equal(await check("no.such.Service"), -5);
});

for (const version of ["v1", "v1alpha"])
  test(`reflection ${version}: services are listed, and any type is told with its file`, async () => {
    await using server = await ManagementServer.start({ protos });
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    using client = new RawXdsClient(server.port, { path });
    const requests = protos.schema<ServerReflectionRequest>(
      "grpc.reflection.v1.ServerReflectionRequest",
    );
    const responses = protos.schema<ServerReflectionResponse>(
      "grpc.reflection.v1.ServerReflectionResponse",
    );
    const ask = async (
      messageRequest: ServerReflectionRequest["messageRequest"],
    ): Promise<ServerReflectionResponse["messageResponse"]> => {
      client.send(toBinary(requests, create(requests, { messageRequest })));
      return fromBinary(responses, await client.next()).messageResponse;
    };
    const list = await ask({ case: "listServices", value: "" });
    assert(list.case === "listServicesResponse");
    const names = list.value.service.map(({ name }) => name);
    for (const name of [
      "envoy.service.discovery.v3.AggregatedDiscoveryService",
      "envoy.service.route.v3.VirtualHostDiscoveryService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
    ])
      assert(names.includes(name), name);
    // Each service, and what its messages carry in an Any.
    for (const symbol of [...names, "envoy.config.listener.v3.Listener.name"]) {
      const found = await ask({ case: "fileContainingSymbol", value: symbol });
      assert(found.case === "fileDescriptorResponse", symbol);
      const [bytes = new Uint8Array()] = found.value.fileDescriptorProto;
      const { dependency } = fromBinary(FileDescriptorProtoSchema, bytes);
      for (const name of dependency)
        assert.equal(
          (await ask({ case: "fileByFilename", value: name })).case,
          "fileDescriptorResponse",
          name,
        );
    }
    const unknown = await ask({ case: "fileContainingSymbol", value: "no.Such" });
    assert(unknown.case === "errorResponse" && unknown.value.errorCode === 5);
  });

function closing(port: number): { readonly grpc: Client } & Disposable {
  const grpc = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return { grpc, [Symbol.dispose]: () => grpc.close() };
}
