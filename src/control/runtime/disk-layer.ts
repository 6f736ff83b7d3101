/**
 * A layer from a tree of folders (Envoy: `DiskLayer`): a file is a key, folders are its levels, its content the value.
 *
 * What one would get wrong: nothing is seen when a file is written. The root is a symbolic link, and values change
 * all at once when another link is moved into its place (Envoy docs, "updating runtime values via symbolic link swap").
 */
import { type FSWatcher, readFileSync, readdirSync, statSync, watch } from "node:fs";
import path from "node:path";
import { messageOf } from "../../shared/common/errors.ts";
import type { RuntimeLayerValues, RuntimeValue } from "../config/runtime-layer.ts";

/** As in Envoy: a link that leads back up would have no end. */
const depthMax = 16;
const fileBytesMax = 64 * 1024;
const filesMax = 10_000;

export type DiskLayerResult =
  | { readonly kind: "read"; readonly values: RuntimeLayerValues }
  /** No such folder: the layer is not there (Envoy: no error). */
  | { readonly kind: "missing" }
  | { readonly kind: "failed"; readonly error: string };

/** Never throws. `valueOf` reads the text of one file. */
export function readDiskLayer(
  folder: string,
  valueOf: (text: string) => RuntimeValue,
): DiskLayerResult {
  const values = new Map<string, RuntimeValue>();
  try {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return { kind: "missing" };
    walk({ folder, prefix: "", depth: 1 }, (file, key) => {
      if (values.size >= filesMax) throw new Error(`more than ${filesMax} files`);
      values.set(key, valueOf(readValue(file)));
    });
    return { kind: "read", values };
  } catch (thrown) {
    return { kind: "failed", error: `${folder}: ${messageOf(thrown)}` };
  }
}

interface Level {
  readonly folder: string;
  readonly prefix: string;
  readonly depth: number;
}

function walk({ folder, prefix, depth }: Level, visit: (file: string, key: string) => void): void {
  if (depth > depthMax) throw new Error(`Walk recursion depth exceeded ${depthMax}`);
  for (const name of readdirSync(folder)) {
    const child = path.join(folder, name);
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const stats = statSync(child);
    if (stats.isDirectory()) walk({ folder: child, prefix: key, depth: depth + 1 }, visit);
    else if (stats.isFile()) visit(child, key);
  }
}

/** Lines that begin with `#` are comments; what ends the text in white space is not of it. */
function readValue(file: string): string {
  if (statSync(file).size > fileBytesMax) throw new Error(`${file} is over ${fileBytesMax} bytes`);
  const lines = readFileSync(file, "utf8").split("\n");
  return lines
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .trimEnd();
}

/** Calls at each link that is moved to `symlinkRoot`. Throws where its folder is not there. */
export function watchSymlink(
  symlinkRoot: string,
  onMoved: () => void,
  onError: (reason: string) => void,
): FSWatcher {
  const folder = path.dirname(symlinkRoot);
  const watcher = watch(folder, (event, name) => {
    if (event === "rename" && name === path.basename(symlinkRoot)) onMoved();
  });
  watcher.on("error", (error) => onError(`no longer watching ${folder}: ${error.message}`));
  return watcher;
}
