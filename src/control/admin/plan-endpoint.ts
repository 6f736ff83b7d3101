/**
 * `POST /listeners/plan`: what a push of these listeners would do. It changes nothing; it is a POST because it has a
 * body. One plan at a time: each decodes as many listeners as it is sent.
 */
import { messageOf } from "../../shared/common/errors.ts";
import type { ReadResult } from "../proto/binary.ts";
import type { PlanView } from "../listener/plan-view.ts";
import type { PlannedPush } from "../listener/push-plan.ts";
import {
  type AdminBody,
  type AdminEndpoint,
  type AdminResponse,
  textResponse,
} from "./endpoint.ts";

export interface PlanSource {
  /** Lists what a body holds; or why it holds none. */
  readonly list: (text: string) => ReadResult<PlannedPush["listeners"]>;
  readonly plan: (push: PlannedPush) => Promise<PlanView>;
}

/** Ten thousand listeners of 800 bytes. */
export const planBytesMax = 8 * 1024 * 1024;

export function planEndpoint(source: PlanSource): AdminEndpoint {
  let isBusy = false;
  const answer = async (push: PlannedPush, body: AdminBody): Promise<void> => {
    try {
      const view = await source.plan(push);
      body.end(`${JSON.stringify(view, undefined, 1)}\n`);
    } catch (error) {
      body.end(`${JSON.stringify({ error: messageOf(error) })}\n`);
    } finally {
      isBusy = false;
    }
  };
  return {
    path: "/listeners/plan",
    isMutation: true,
    bodyBytesMax: planBytesMax,
    help: "print what a push of the listeners in the body would do; changes nothing (not in Envoy)",
    parameters: [
      { name: "partial", help: "Listeners that are not in the body stay; else they are removed" },
    ],
    handle({ query, body = "" }): AdminResponse {
      if (body.trim() === "") return textResponse("want listeners: a list in YAML or JSON\n", 400);
      if (isBusy) return textResponse("another plan is being made\n", 503);
      const listed = source.list(body);
      if (!listed.ok) return textResponse(`${listed.errors.join("\n")}\n`, 400);
      const push = { listeners: listed.value, isComplete: !query.has("partial") };
      isBusy = true;
      return {
        status: 200,
        contentType: "application/json",
        body: "",
        continues(out) {
          void answer(push, out);
          return { [Symbol.dispose]() {} };
        },
      };
    },
  };
}
