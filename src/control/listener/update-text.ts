/** How a version of a listener came to be, for people. */
import type { ListenerView, UpdateClass } from "./listener-view.ts";

const updates: Readonly<Record<UpdateClass, string>> = {
  new: "new",
  equivalent: "means the same",
  live: "live, nothing drains",
  filterChains: "in place",
  full: "full",
};

/** For the log. */
export function changeText(
  listener: Pick<ListenerView, "name" | "updateClass" | "changed">,
  version: string,
): string {
  const { name, updateClass } = listener;
  if (updateClass === "new") return `add listener '${name}' version '${version}'`;
  return `update listener '${name}' version '${version}': ${updateText(listener)}`;
}

/** `live, nothing drains, changed: filter_chains[0].filters[0].typed_config.route_config`. */
export function updateText({
  updateClass,
  changed,
}: Pick<ListenerView, "updateClass" | "changed">): string {
  const what = changed.length > 0 ? `, changed: ${changed.join(", ")}` : "";
  return updates[updateClass] + what;
}
