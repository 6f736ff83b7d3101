/** `npm start -- [flags]`. */
import { parseArgs } from "node:util";

export interface StoryOptions {
  /** End after the story instead of staying up. */
  readonly isOnce: boolean;
  readonly controlPlane: "embedded" | "go-control-plane";
  /** Only begin: everything is up, traffic flows, and nothing is changed. */
  readonly isQuiet: boolean;
  /** Holds `bootstrap.yaml`, `resources/` and `steps/`. */
  readonly example: string;
  /** The proxy's program. */
  readonly proxy: string;
  readonly drainTimeS: number;
}

export const storyUsage = `npm start [-- flags]: a control plane, three upstreams and the proxy, with traffic, live
  --once                            run the story, print the count, exit 0 only if no request failed
  --quiet                           change nothing: start, let traffic flow, stay up
  --example=examples/story          the folder of bootstrap.yaml, resources/ and steps/
  --control-plane=embedded          the one of this project (default), or go-control-plane (needs Go)
  --proxy=bin/sluice                the program to run; anything with Envoy's command line
  --drain-time-s=10                 its drain time, 8 to 600 seconds: the download takes 5
  --help`;

/** A message for a person if the flags make no sense. */
export function parseStoryOptions(
  args: readonly string[],
  defaults: Pick<StoryOptions, "proxy" | "example">,
):
  | { readonly ok: true; readonly value: StoryOptions }
  | { readonly ok: false; readonly message: string } {
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({
      args: [...args],
      options: {
        once: { type: "boolean" },
        quiet: { type: "boolean" },
        example: { type: "string" },
        help: { type: "boolean" },
        "control-plane": { type: "string" },
        proxy: { type: "string" },
        "drain-time-s": { type: "string" },
      },
    }).values;
  } catch (thrown) {
    return { ok: false, message: `${(thrown as Error).message}\n${storyUsage}` };
  }
  if (values["help"] === true) return { ok: false, message: storyUsage };
  const controlPlane = values["control-plane"] ?? "embedded";
  if (controlPlane !== "embedded" && controlPlane !== "go-control-plane")
    return { ok: false, message: `unknown control plane ${String(controlPlane)}\n${storyUsage}` };
  const drainTimeS = Number(values["drain-time-s"] ?? 10);
  if (!Number.isInteger(drainTimeS) || drainTimeS < 8 || drainTimeS > 600)
    return {
      ok: false,
      message: `--drain-time-s must be a whole number from 8 to 600\n${storyUsage}`,
    };
  const text = (name: "proxy" | "example"): string => String(values[name] ?? defaults[name]);
  return {
    ok: true,
    value: {
      isOnce: values["once"] === true,
      isQuiet: values["quiet"] === true,
      example: text("example"),
      controlPlane,
      proxy: text("proxy"),
      drainTimeS,
    },
  };
}
