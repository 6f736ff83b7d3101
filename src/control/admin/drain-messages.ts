/**
 * A drain as `proto/sluice/drain/v1/drain_service.proto` has it. The JSON of `/drains` says the same in words; the
 * numbers of its enumerations stand here, since generated code is for the compiler alone.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  DrainPolicy,
  DrainPolicy_Idle,
  DrainPolicy_Strategy,
  DrainPolicy_Streams,
  DrainPolicy_Tcp,
  DrainPolicy_Websocket,
} from "../../../gen/es/sluice/drain/v1/drain_policy_pb.d.ts";
import type {
  ConnectionCounts,
  Drain,
  Drain_Cause,
  Drain_Direction,
  Drain_EndedBy,
  Drain_State,
  Drain_UpdateClass,
  Protocol,
  RemainingConnection,
} from "../../../gen/es/sluice/drain/v1/drain_service_pb.d.ts";
import { type DrainedProtocol, drainedProtocols } from "../../shared/drain/drain.ts";
import type {
  DrainConnectionsView,
  DrainEndedBy,
  DrainPolicyView,
  DrainView,
  RemainingConnectionView,
} from "../listener/drain-view.ts";

type Init<T extends Drain | DrainPolicy | ConnectionCounts | RemainingConnection> =
  MessageInitShape<GenMessage<T>>;

type Numbers<Word extends string, Value> = Readonly<Record<Word, Value>>;

const causes: Numbers<DrainView["cause"], Drain_Cause> = {
  "lds-remove": 1,
  "lds-replace": 2,
  "filter-chain": 3,
  admin: 4,
  "hot-restart": 5,
  shutdown: 6,
};
const states: Numbers<DrainView["state"], Drain_State> = {
  draining: 1,
  complete: 2,
  forced: 3,
  expired: 4,
  cancelled: 5,
};
const endings: Numbers<DrainEndedBy, Drain_EndedBy> = {
  empty: 1,
  deadline: 2,
  order: 3,
  generations: 4,
  listener: 5,
  wider: 6,
  process: 7,
};
const directions: Numbers<DrainView["direction"], Drain_Direction> = { all: 1, inbound_only: 2 };
const updateClasses: Numbers<NonNullable<DrainView["update_class"]>, Drain_UpdateClass> = {
  "filter-chains": 1,
  full: 2,
};
const protocols: Numbers<DrainedProtocol, Protocol> = { http1: 1, http2: 2, websocket: 3, tcp: 4 };
export const strategies: Numbers<DrainPolicyView["strategy"], DrainPolicy_Strategy> = {
  gradual: 1,
  immediate: 2,
};
const idles: Numbers<DrainPolicyView["idle"], DrainPolicy_Idle> = { close: 1, spread: 2, keep: 3 };
const streams: Numbers<DrainPolicyView["streams"], DrainPolicy_Streams> = {
  finish: 1,
  deadline: 2,
};
const webSockets: Numbers<DrainPolicyView["websocket"], DrainPolicy_Websocket> = {
  deadline: 1,
  close: 2,
};
const tcps: Numbers<DrainPolicyView["tcp"], DrainPolicy_Tcp> = { deadline: 1, spread: 2, keep: 3 };

export function drainMessage(view: DrainView): Init<Drain> {
  const { listener, percent, ended_at: endedAt } = view;
  return {
    id: BigInt(view.id),
    processGeneration: view.process_generation ?? 0,
    cause: causes[view.cause],
    state: states[view.state],
    ...(listener !== null && {
      listener: {
        name: listener,
        generation: BigInt(view.generation ?? 0),
        version: view.version ?? "",
        filterChains: [...(view.filter_chains ?? [])],
      },
    }),
    ...(percent !== null && { percent }),
    direction: directions[view.direction],
    startTime: instant(view.started_at),
    deadline: instant(view.deadline),
    ...(endedAt !== null && { endTime: instant(endedAt) }),
    ...(view.ended_by !== null && { endedBy: endings[view.ended_by] }),
    policy: policyMessage(view.policy),
    ...(view.update_class !== null && { updateClass: updateClasses[view.update_class] }),
    changedFields: [...view.changed],
    connections: countsMessage(view.connections),
    byProtocol: drainedProtocols.flatMap((protocol) => {
      const counts = view.by_protocol[protocol];
      return counts ? [{ protocol: protocols[protocol], connections: countsMessage(counts) }] : [];
    }),
  };
}

export function remainingMessage(view: RemainingConnectionView): Init<RemainingConnection> {
  return {
    id: BigInt(view.id),
    worker: view.worker,
    peerAddress: view.peer,
    localAddress: view.local,
    age: durationFromMs(view.age_ms),
    protocol: protocols[view.protocol],
    notified: view.told,
    streams: view.streams,
    bytesReceived: BigInt(view.bytes_received),
    bytesSent: BigInt(view.bytes_sent),
    route: view.route ?? "",
    cluster: view.cluster ?? "",
  };
}

function policyMessage(view: DrainPolicyView): Init<DrainPolicy> {
  return {
    time: duration(view.time),
    strategy: strategies[view.strategy],
    idle: idles[view.idle],
    streams: streams[view.streams],
    tcp: tcps[view.tcp],
    websocket: webSockets[view.websocket],
    idleGrace: duration(view.idle_grace),
    maxGenerations: view.max_generations,
  };
}

function countsMessage(view: DrainConnectionsView): Init<ConnectionCounts> {
  return {
    atStart: BigInt(view.at_start),
    notified: BigInt(view.notified),
    finished: BigInt(view.finished),
    closedByPeer: BigInt(view.closed_by_peer),
    forced: BigInt(view.forced),
    remaining: BigInt(view.remaining),
  };
}

/** Of RFC 3339. */
function instant(text: string) {
  return timestampFromMs(Date.parse(text));
}

/** Of the view's own `0.250s`. */
function duration(text: string) {
  return durationFromMs(Math.round(Number.parseFloat(text) * 1000));
}
