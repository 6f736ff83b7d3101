/** Orders to the proxy about its drains. What it refuses is thrown as its own sentence, and what to do next. */
import type { AdminConnection } from "../admin-connection.ts";
import { type DrainJson, type DrainsJson, isUnderWay } from "./drain-json.ts";

/** The proxy asks its workers, a second at most; an end waits for the last of them. */
const orderMsMax = 30_000;

export interface OrderedDrain extends DrainJson {
  /** What the order could not do. */
  readonly note?: string;
}

/** The drain as it is after the order. */
export async function giveOrder(admin: AdminConnection, path: string): Promise<OrderedDrain> {
  const call = { method: "POST", timeoutMs: orderMsMax } as const;
  const { status, body } = await admin.text(path, call);
  if (status !== 200) throw new Error(refusalText(status, body));
  // Envoy's own orders are answered as Envoy does, without a word of the drain that they began.
  return body === "OK\n" ? await latestOfServer(admin) : admin.parsed<OrderedDrain>(path, body);
}

export function refusalText(status: number, body: string): string {
  const [sentence = ""] = body.trim().split("\n");
  const hint = hintFor(status, sentence);
  return hint === undefined ? sentence : `${sentence}: ${hint}`;
}

function hintFor(status: number, sentence: string): string | undefined {
  if (sentence.startsWith("invalid path")) return "that proxy cannot do this; is it a Sluice?";
  if (sentence.startsWith("no active listener")) return "sluice status lists what there is";
  if (status === 404 || status === 410) return "sluice drains lists those that can be named";
  return undefined;
}

async function latestOfServer(admin: AdminConnection): Promise<DrainJson> {
  const { drains } = await admin.json<DrainsJson>("/drains");
  const ofServer = drains.filter(({ listener }) => listener === null);
  const latest = ofServer.filter(isUnderWay).at(-1) ?? ofServer[0];
  if (!latest) throw new Error("the proxy says OK and shows no drain of the server");
  return latest;
}
