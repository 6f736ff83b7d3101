/** Files of `--http-filter`: loaded on main, which judges configurations by them, and on every worker, which runs them. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { HttpFilterModule } from "./http-filter.ts";

export type HttpFilterModules = ReadonlyMap<string, HttpFilterModule>;

export const noFilterModules: HttpFilterModules = new Map();

/** A dot at least, as all types have: no name of a user's is ever taken for one of another kind. */
const namePattern = /^[a-z_][\w-]*(\.[\w-]+)+$/i;

/** Throws an Error that names the file and says what is wrong with it. */
export async function loadHttpFilters(files: readonly string[]): Promise<HttpFilterModules> {
  const modules = new Map<string, HttpFilterModule>();
  for (const file of files) {
    const module = await load(file);
    if (modules.has(module.name))
      throw new Error(`--http-filter ${file}: '${module.name}' is there already`);
    modules.set(module.name, module);
  }
  return modules;
}

async function load(file: string): Promise<HttpFilterModule> {
  let exported: unknown;
  try {
    const found: { readonly filter?: unknown } = await import(
      pathToFileURL(path.resolve(file)).href
    );
    exported = found.filter;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`--http-filter ${file}: ${reason}`, { cause: error });
  }
  if (!isModule(exported))
    throw new Error(`--http-filter ${file}: it exports no filter: { name, configure }`);
  if (!namePattern.test(exported.name))
    throw new Error(`--http-filter ${file}: '${exported.name}' is no name like 'example.greeting'`);
  return exported;
}

function isModule(value: unknown): value is HttpFilterModule {
  if (typeof value !== "object" || value === null) return false;
  const { name, configure } = value as Partial<HttpFilterModule>;
  return typeof name === "string" && typeof configure === "function";
}
