/** From flags to a place among the generations. */
import { writeFileSync } from "node:fs";
import { messageOf } from "../../shared/common/errors.ts";
import { HotRestart, type HotRestartParts } from "../hot-restart/hot-restart.ts";

/** A string: why it may not start. */
export async function openHotRestart(parts: HotRestartParts): Promise<HotRestart | string> {
  const opened = await HotRestart.open(parts);
  if (!opened.ok) return opened.error;
  const { hotRestart } = opened;
  const { baseIdPath } = parts.options;
  if (baseIdPath === "") return hotRestart;
  try {
    writeFileSync(baseIdPath, String(hotRestart.baseId));
    return hotRestart;
  } catch (error) {
    hotRestart[Symbol.dispose]();
    return `cannot write --base-id-path '${baseIdPath}': ${messageOf(error)}`;
  }
}
