/**
 * A connection that moves, as it is told to the other process: without its descriptors, which come beside it, and with
 * addresses as text. What comes is of a peer that may be anyone of the same user: all is checked.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { Descriptor } from "../../../shared/io/reactor.ts";
import {
  type IdleConnection,
  type LoggedField,
  type MovedConnection,
  type ProxiedConnection,
  type UpgradedConnection,
  type UpgradedRequest,
  upgradeCounts,
  upgradeInstants,
  upgradeTexts,
} from "../../../shared/protocol/moved-connection.ts";
import { type JsonRecord, isRecord } from "../json-checks.ts";
import { addressText, readAddress } from "../socket-names.ts";

/** A connection that takes more to tell (of names, and of what its log prints of heads) stays where it is. */
export const connectionBytesMax = 16 * 1024;

type Told<Connection> = Omit<Connection, "descriptor" | "upstream" | "host" | "request">;
type ToldRequest = Omit<UpgradedRequest, "forwardedAddress"> & {
  readonly forwardedAddress?: string | undefined;
};

export type WireConnection =
  | Told<IdleConnection>
  | (Told<ProxiedConnection> & { readonly host: string })
  | (Told<UpgradedConnection> & { readonly host: string; readonly request: ToldRequest });

export function toWire(moved: MovedConnection): WireConnection {
  const { descriptor: _, ...told } = moved;
  if (told.kind === "idle") return told;
  const { upstream: __, host: address, ...rest } = told;
  const host = addressText(address);
  if (rest.kind === "proxied") return { ...rest, host };
  const { forwardedAddress, ...request } = rest.request;
  const forwarded = forwardedAddress && addressText(forwardedAddress);
  return { ...rest, host, request: { ...request, forwardedAddress: forwarded } };
}

/** `next`: its descriptors, in the order of `descriptorsOf`. Undefined where an address is none. */
export function fromWire(
  wire: WireConnection,
  next: () => Descriptor,
): MovedConnection | undefined {
  const descriptor = next();
  if (wire.kind === "idle") return { ...wire, descriptor };
  const upstream = next();
  const host = readAddress(wire.host);
  if (!host) return undefined;
  if (wire.kind === "proxied") return { ...wire, host, descriptor, upstream };
  const { request } = wire;
  const forwardedAddress = readForwarded(request.forwardedAddress);
  return { ...wire, host, descriptor, upstream, request: { ...request, forwardedAddress } };
}

function readForwarded(text: string | undefined): SocketAddress | undefined {
  return text === undefined ? undefined : readAddress(text);
}

export function isWireConnection(value: unknown): value is WireConnection {
  if (!isRecord(value) || !isAmount(value["ageMs"])) return false;
  switch (value["kind"]) {
    case "idle":
      return isAmount(value["requests"]);
    case "proxied":
      return isJoined(value);
    case "upgraded":
      return isJoined(value) && isRequest(value["request"]) && isBoolean(value["isTooOld"]);
    default:
      return false;
  }
}

function isJoined({ cluster, host, ...numbers }: JsonRecord): boolean {
  const names = ["upstreamAgeMs", "bytesReceived", "bytesSent"];
  return (
    typeof cluster === "string" &&
    typeof host === "string" &&
    names.every((name) => isAmount(numbers[name]))
  );
}

function isRequest(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { upgradeType, upstreamKind, priority, forwardedAddress, webSocket } = value;
  return (
    typeof upgradeType === "string" &&
    (upstreamKind === "http1" || upstreamKind === "tcp") &&
    (priority === "default" || priority === "high") &&
    isOptional(forwardedAddress, isText) &&
    isOptional(webSocket, isProgress) &&
    isLimits(value["limits"]) &&
    isTable(value["counts"], upgradeCounts, isAmount) &&
    isTable(value["texts"], upgradeTexts, (text) => isOptional(text, isText)) &&
    isTable(value["ages"], upgradeInstants, (age) => isOptional(age, isAmount)) &&
    isFields(value["requestFields"]) &&
    isFields(value["responseFields"])
  );
}

function isLimits(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { quietMs, idleMs, durationMs, tryIdleMs, tryEndsInMs } = value;
  return (
    isAmount(quietMs) &&
    isAmount(tryIdleMs) &&
    isOptional(idleMs, isAmount) &&
    (durationMs === "none" || isOptional(durationMs, isAmount)) &&
    isOptional(tryEndsInMs, isAmount)
  );
}

function isProgress(value: unknown): boolean {
  return isRecord(value) && isFrame(value["toClient"]) && isFrame(value["toHost"]);
}

function isFrame(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { isMasked, hasClose } = value;
  const names = ["missing", "headAt", "lengthBytes", "length"];
  return isBoolean(isMasked) && isBoolean(hasClose) && isTable(value, names, isAmount);
}

function isFields(value: unknown): value is readonly LoggedField[] {
  return Array.isArray(value) && value.every(isField);
}

function isField(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isText);
}

function isTable(
  value: unknown,
  names: readonly string[],
  isEntry: (entry: unknown) => boolean,
): boolean {
  return isRecord(value) && names.every((name) => isEntry(value[name]));
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}
