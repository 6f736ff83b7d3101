/** A drain as another process tells of it: JSON of a peer that may be of another version, so all that is shown is looked at. */
import { drainedProtocols } from "../../shared/drain/drain.ts";
import type { DrainConnectionsView, DrainView } from "./drain-view.ts";

type Words<Key extends keyof DrainView> = readonly Extract<DrainView[Key], string>[];

const causes: Words<"cause"> = [
  "lds-remove",
  "lds-replace",
  "filter-chain",
  "admin",
  "hot-restart",
  "shutdown",
];
const states: Words<"state"> = ["draining", "complete", "forced", "expired", "cancelled"];
const counts = [
  "at_start",
  "notified",
  "finished",
  "closed_by_peer",
  "forced",
  "remaining",
] as const satisfies readonly (keyof DrainConnectionsView)[];
const texts = ["started_at", "deadline", "strategy", "direction"] as const;
const textsOrNull = ["listener", "version", "ended_at", "ended_by", "update_class"] as const;

/** Undefined: it is none that could be shown. */
export function readToldDrain(value: unknown): DrainView | undefined {
  if (!isRecord(value)) return undefined;
  const { id, generation, percent, filter_chains: chains, changed, policy } = value;
  const isShown =
    isNumber(id) &&
    isWord(value["cause"], causes) &&
    isWord(value["state"], states) &&
    texts.every((key) => typeof value[key] === "string") &&
    textsOrNull.every((key) => value[key] === null || typeof value[key] === "string") &&
    [generation, percent].every((each) => each === null || isNumber(each)) &&
    (chains === null || isTexts(chains)) &&
    isTexts(changed) &&
    isRecord(policy) &&
    isCounts(value["connections"]) &&
    isByProtocol(value["by_protocol"]);
  return isShown ? (value as unknown as DrainView) : undefined;
}

type JsonRecord = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isWord(value: unknown, words: readonly string[]): boolean {
  return typeof value === "string" && words.includes(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isCounts(value: unknown): boolean {
  return isRecord(value) && counts.every((key) => isNumber(value[key]));
}

function isByProtocol(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return Object.entries(value).every(
    ([protocol, each]) => isWord(protocol, drainedProtocols) && isCounts(each),
  );
}
