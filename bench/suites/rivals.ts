import path from "node:path";
import { findEnvoy } from "../programs.ts";

/** The two programs that are told by xDS, with the same command line. */
export interface Rival {
  readonly name: string;
  readonly file: string;
}

export function rivals(): readonly Rival[] {
  const sluice = path.join(import.meta.dirname, "../../bin/sluice");
  return [
    { name: "sluice", file: sluice },
    { name: "envoy", file: findEnvoy() },
  ];
}

/** `--only` names proxies, cases or both; a kind that it names nothing of is whole. */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  only: readonly string[],
): readonly T[] {
  const named = all.filter(({ name }) => only.includes(name));
  return named.length > 0 ? named : all;
}
