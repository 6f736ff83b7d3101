/** `sluice.drain.v1.DrainService`: what `/drains` and its orders are over HTTP. Everything is done by the desk. */
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type {
  CancelDrainRequest,
  CancelDrainResponse,
  EndDrainRequest,
  EndDrainResponse,
  ExtendDrainRequest,
  ExtendDrainResponse,
  GetDrainRequest,
  GetDrainResponse,
  ListDrainsRequest,
  ListDrainsResponse,
  StartDrainRequest,
  StartDrainResponse,
  WaitDrainRequest,
  WaitDrainResponse,
  WatchDrainsRequest,
  WatchDrainsResponse,
} from "../../../gen/es/sluice/drain/v1/drain_service_pb.d.ts";
import {
  type DrainDesk,
  type DrainError,
  type DrainErrorKind,
  type DrainExtension,
  type DrainRequest,
  type DrainScope,
  remainingMax,
} from "../listener/drain-desk.ts";
import type { DrainView } from "../listener/drain-view.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import type { AdminGrpcService } from "./admin-grpc-server.ts";
import { DrainFeed, type DrainFeedSource, hasRoom, noRoomText } from "./drain-feed.ts";
import { drainMessage, remainingMessage, strategies } from "./drain-messages.ts";
import { type Answer, type AnswerStream, GrpcCalls, type Refusal, refusal } from "./grpc-calls.ts";

const name = "sluice.drain.v1.DrainService";

const waitMsDefault = 60_000;
const waitMsMax = 3_600_000;

export interface DrainServiceOptions extends DrainFeedSource {
  readonly desk: DrainDesk;
  readonly protos: ProtoRegistry;
}

export function drainService(options: DrainServiceOptions): AdminGrpcService {
  const { desk } = options;
  const calls = new GrpcCalls(options.protos, name);
  const all = {
    ListDrains: calls.unary<ListDrainsRequest, ListDrainsResponse>("ListDrains", () => ({
      ok: true,
      message: { drains: desk.list().drains.map(drainMessage) },
    })),
    GetDrain: calls.unary<GetDrainRequest, GetDrainResponse>("GetDrain", (request) =>
      getDrain(desk, request),
    ),
    WatchDrains: calls.stream<WatchDrainsRequest, WatchDrainsResponse>(
      "WatchDrains",
      ({ id }, stream) => watch(options, id === 0n ? undefined : Number(id), stream),
    ),
    StartDrain: calls.unary<StartDrainRequest, StartDrainResponse>(
      "StartDrain",
      async (request) => {
        const order = startOrder(request);
        if ("ok" in order) return order;
        return answered(await desk.start(order));
      },
    ),
    WaitDrain: calls.unary<WaitDrainRequest, WaitDrainResponse>("WaitDrain", (request, signal) =>
      wait(options, request, signal),
    ),
    CancelDrain: calls.unary<CancelDrainRequest, CancelDrainResponse>(
      "CancelDrain",
      async ({ id }) => {
        const result = await desk.cancel(Number(id));
        if (!result.ok) return refused(result.error);
        const { drain, note = "" } = result;
        return { ok: true, message: { drain: drainMessage(drain), note } };
      },
    ),
    ExtendDrain: calls.unary<ExtendDrainRequest, ExtendDrainResponse>(
      "ExtendDrain",
      async (request) => {
        const extension = extensionOf(request);
        if (!extension) return invalid("say by how much, or until when");
        return answered(await desk.extend(Number(request.id), extension));
      },
    ),
    EndDrain: calls.unary<EndDrainRequest, EndDrainResponse>("EndDrain", async ({ id }) =>
      answered(await desk.end(Number(id))),
    ),
  };
  const entries = Object.entries(all);
  return {
    name,
    methods: Object.fromEntries(entries.map(([key, { method }]) => [key, method])),
    handlers: Object.fromEntries(entries.map(([key, { handler }]) => [key, handler])),
  };
}

async function getDrain(
  desk: DrainDesk,
  { id, connectionsMax }: GetDrainRequest,
): Promise<Answer<GetDrainResponse>> {
  const limit = connectionsMax === 0 ? remainingMax : connectionsMax;
  const result = await desk.remaining(Number(id), limit);
  if (!result.ok) return refused(result.error);
  const { drain } = result;
  return {
    ok: true,
    message: {
      drain: drainMessage(drain),
      connections: drain.remaining.map(remainingMessage),
      silentWorkers: [...drain.silent_workers],
    },
  };
}

function watch(
  source: DrainServiceOptions,
  id: number | undefined,
  stream: AnswerStream<WatchDrainsResponse>,
): void {
  const found = id === undefined ? undefined : source.desk.get(id);
  if (found?.ok === false) return stream.end(refused(found.error));
  const send = (drains: readonly DrainView[]): void =>
    stream.write({ drains: drains.map(drainMessage) });
  if (found && found.drain.state !== "draining") {
    send([found.drain]);
    return stream.end();
  }
  if (!hasRoom(source)) return stream.end(refusal(status.RESOURCE_EXHAUSTED, noRoomText));
  const feed = new DrainFeed(source, {
    get isSlow() {
      return stream.isSlow;
    },
    send(drains) {
      if (id === undefined) return send(drains);
      const drain = drains.find((each) => each.id === id);
      if (!drain) return undefined;
      send([drain]);
      return drain.state === "draining" ? undefined : stream.end();
    },
  });
  // Also what comes after an end of ours.
  stream.signal.addEventListener("abort", () => feed[Symbol.dispose]());
  return undefined;
}

/** Answers when the drain has ended, when the time is up, or, to nobody, when the client has gone. */
async function wait(
  source: DrainServiceOptions,
  { id, timeout }: WaitDrainRequest,
  signal: AbortSignal,
): Promise<Answer<WaitDrainResponse>> {
  const { desk, clock } = source;
  const timeMs = timeout ? durationMs(timeout) : waitMsDefault;
  if (!(timeMs >= 0 && timeMs <= waitMsMax))
    return invalid(`timeout must be from 0 to ${waitMsMax / 1000} seconds`);
  const isDone = (): boolean => {
    const result = desk.get(Number(id));
    return !result.ok || result.drain.state !== "draining";
  };
  if (!isDone() && timeMs > 0) {
    if (!hasRoom(source)) return refusal(status.RESOURCE_EXHAUSTED, noRoomText);
    const { promise, resolve } = Promise.withResolvers<void>();
    using _subscription = desk.subscribe(() => isDone() && resolve());
    using _timer = clock.startTimer(timeMs, resolve);
    signal.addEventListener("abort", () => resolve());
    await promise;
  }
  return answered(desk.get(Number(id)));
}

/** What the request orders, or why it orders nothing. */
function startOrder(request: StartDrainRequest): DrainRequest | Refusal {
  const scope = scopeOf(request);
  if ("ok" in scope) return scope;
  const strategy = request.strategy === 0 ? undefined : wordOf(strategies, request.strategy);
  if (request.strategy !== 0 && strategy === undefined)
    return invalid(`unknown strategy ${request.strategy}`);
  return { scope, timeMs: request.time && durationMs(request.time), strategy };
}

function scopeOf({ scope }: StartDrainRequest): DrainScope | Refusal {
  if (scope.case === undefined) return invalid("say what is to drain: the server or a listener");
  switch (scope.case) {
    case "server": {
      const { accepting, inboundOnly } = scope.value;
      // By the numbers of `Accepting`; a newer client may send others.
      const mode = (["stop", "stop", "graceful", "keepAccepting"] as const).at(accepting);
      return mode
        ? { kind: "server", mode, inboundOnly }
        : invalid(`unknown accepting ${accepting}`);
    }
    case "listener": {
      const { name: listener, filterChain, percent } = scope.value;
      return {
        kind: "listener",
        listener,
        filterChain: filterChain === "" ? undefined : filterChain,
        percent,
      };
    }
    default:
      return scope satisfies never;
  }
}

function extensionOf({ extension }: ExtendDrainRequest): DrainExtension | undefined {
  if (extension.case === undefined) return undefined;
  return extension.case === "by"
    ? { byMs: durationMs(extension.value) }
    : { untilMs: timestampMs(extension.value) };
}

function wordOf<Word extends string>(
  numbers: Readonly<Record<Word, number>>,
  value: number,
): Word | undefined {
  return (Object.keys(numbers) as Word[]).find((word) => numbers[word] === value);
}

function answered(
  result: { readonly ok: true; readonly drain: DrainView } | { ok: false; error: DrainError },
) {
  if (!result.ok) return refused(result.error);
  return { ok: true, message: { drain: drainMessage(result.drain) } } as const;
}

const codes: Readonly<Record<DrainErrorKind, status>> = {
  unknown: status.NOT_FOUND,
  gone: status.NOT_FOUND,
  ended: status.FAILED_PRECONDITION,
  elsewhere: status.FAILED_PRECONDITION,
  notCancellable: status.FAILED_PRECONDITION,
  outOfRange: status.INVALID_ARGUMENT,
  noSuchListener: status.NOT_FOUND,
  noSuchFilterChain: status.NOT_FOUND,
  underWay: status.FAILED_PRECONDITION,
};

function refused({ kind, text }: DrainError): Refusal {
  return refusal(codes[kind], text);
}

function invalid(text: string): Refusal {
  return refusal(status.INVALID_ARGUMENT, text);
}
