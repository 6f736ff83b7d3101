/** What a matcher tree reads of a connection: `envoy.extensions.matching.common_inputs.network.v3`, as text. */
import type { SocketAddress } from "../../shared/common/address.ts";
import { unmappedIp } from "../../shared/common/ip-address.ts";
import type { ConnectionInput } from "../../shared/config/match-tree.ts";
import { type ConnectionFacts, isLocalConnection } from "../network/filter-chain-match.ts";
import type { ReadInput } from "./evaluate.ts";

export function connectionInput(input: ConnectionInput): ReadInput<ConnectionFacts> {
  return inputs[input];
}

const inputs: Readonly<Record<ConnectionInput, ReadInput<ConnectionFacts>>> = {
  destinationIp: (facts) => ipOf(facts.localAddress),
  destinationPort: (facts) => portOf(facts.localAddress),
  sourceIp: (facts) => ipOf(facts.remoteAddress),
  sourcePort: (facts) => portOf(facts.remoteAddress),
  directSourceIp: (facts) => ipOf(facts.directRemoteAddress),
  // Docs: "local" or nothing.
  sourceType: (facts) => (isLocalConnection(facts) ? "local" : undefined),
  serverName: (facts) => textOf(facts.serverName),
  transportProtocol: (facts) => textOf(facts.transportProtocol),
  // Docs: a list of quoted names, `'h2','http/1.1'`.
  applicationProtocol: ({ applicationProtocols: names }) =>
    names.length === 0 ? undefined : names.map((name) => `'${name}'`).join(","),
};

function ipOf(address: SocketAddress): string | undefined {
  return address.kind === "ip" ? unmappedIp(address.ip) : undefined;
}

function portOf(address: SocketAddress): string | undefined {
  return address.kind === "ip" ? String(address.port) : undefined;
}

function textOf(text: string): string | undefined {
  return text === "" ? undefined : text;
}
