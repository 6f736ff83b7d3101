/**
 * The polled variant: `POST /v3/discovery:listeners` with a DiscoveryRequest in JSON, answered with a
 * DiscoveryResponse in JSON, or with 304 where the client has it. Nothing is remembered between polls.
 */
import { readBinary } from "../../control/proto/binary.ts";
import { restPathOf } from "../../control/proto/discovery-services.ts";
import { writeJson } from "../../control/proto/json.ts";
import type { ProtoRegistry } from "../../control/proto/proto-registry.ts";
import { type JsonObject, type JsonValue, readYaml } from "../../control/proto/yaml.ts";
import type { Random } from "../../shared/common/random.ts";
import { afflict, type Outgoing } from "../faults/afflict.ts";
import type { ServedResource } from "../discovery-wire.ts";
import type { ManagementServer } from "../management-server.ts";
import type { PlannedResponse } from "../planned-response.ts";
import { servedTypes, type ServedType } from "../resource-types.ts";
import { resourceVersion, versionOf } from "../resource-version.ts";
import { type ApiAnswer, type ApiHandler, errorJson, wrongMethod } from "./api-answer.ts";

interface Poll {
  readonly node: { readonly id: string; readonly cluster: string };
  readonly version: string;
  readonly names: readonly string[];
}

const typeByPath = new Map(servedTypes.map((type) => [restPathOf(type.typeUrl), type]));

/** `undefined` for a path that is none of discovery. */
export function restDiscovery(
  server: ManagementServer,
  protos: ProtoRegistry,
  random: Random,
): ApiHandler {
  return ({ method, path, body }) => {
    const type = typeByPath.get(`/${path.join("/")}`);
    if (!type) return undefined;
    if (method !== "POST") return wrongMethod(["POST"]);
    const poll = readPoll(body);
    if (!poll) return errorJson(400, ["want a DiscoveryRequest in JSON"]);
    const planned = planOf(server, type, poll);
    if (!planned) return { kind: "unchanged" };
    const met = server.faults.take(type.typeUrl, poll.node.id);
    const { outgoing } = afflict(planned, met, [], { memory: noMemory, random });
    return answerOf(outgoing, server, protos);
  };
}

/** A poll has neither nonces nor a past. */
const noMemory = {
  lastNonce: "",
  freshNonce: () => "",
  again: (planned: PlannedResponse) => planned,
  asked: () => false,
};

function planOf(
  server: ManagementServer,
  type: ServedType,
  { node, version, names }: Poll,
): PlannedResponse | undefined {
  const all = server.offeredTo(node, type.typeUrl);
  if (!all) return undefined;
  const isAll = names.includes("*") || (type.isFullState && names.length === 0);
  const wanted: readonly ServedResource[] = isAll
    ? all
    : all.filter(({ name }) => names.includes(name));
  if (versionOf(wanted) === version) return undefined;
  return {
    isDelta: false,
    isWrapperKnown: false,
    typeUrl: type.typeUrl,
    nonce: "",
    version: versionOf(wanted),
    resources: wanted.map((one) => ({ ...one, version: resourceVersion(one) })),
    removedNames: [],
  };
}

/** The first message alone, after its delay: there is one answer to a poll. */
async function answerOf(
  outgoing: readonly Outgoing[],
  server: ManagementServer,
  protos: ProtoRegistry,
): Promise<ApiAnswer> {
  const [first] = outgoing;
  if (!first || first.kind === "reset") return { kind: "cut" };
  if (first.kind === "end") return errorJson(503, [first.details]);
  if (first.kind !== "message") return new Promise(() => {});
  await server.delay(first.delayMs);
  const schema = protos.schema("envoy.service.discovery.v3.DiscoveryResponse");
  const read = readBinary(schema, first.bytes);
  if (!read.ok) return { kind: "bytes", bytes: first.bytes };
  return { kind: "json", status: 200, json: writeJson(protos, schema, read.value) };
}

/** Both spellings of proto3 JSON. What else a request says is nothing to us. */
function readPoll(body: string): Poll | undefined {
  const json = readYaml(body);
  if (!json.ok || !isObject(json.value)) return undefined;
  const { value } = json;
  const node = isObject(value["node"]) ? value["node"] : {};
  const names = value["resource_names"] ?? value["resourceNames"] ?? [];
  return {
    node: { id: textOf(node["id"]), cluster: textOf(node["cluster"]) },
    version: textOf(value["version_info"] ?? value["versionInfo"]),
    names: Array.isArray(names) ? names.map(textOf) : [],
  };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
