/**
 * Which folders say that a secret is to be read again: `watched_directory`, where a whole folder is replaced by the
 * move of a symbolic link (Kubernetes), or else the folder of each file, for moves of that file.
 */
import path from "node:path";
import type { DataSource } from "../config/data-source.ts";
import type { SecretValue } from "../config/secret-config.ts";
import { SecretError } from "./data-source-reader.ts";
import type { SecretFiles } from "./secret-files.ts";

/** `names` undefined: whatever is moved there. */
interface WatchedFolder {
  readonly folder: string;
  readonly names: ReadonlySet<string> | undefined;
}

/** Throws a `SecretError` where a folder cannot be watched. Undefined: it has no files. */
export function watchSources(
  value: SecretValue,
  files: SecretFiles,
  onMoved: () => void,
): Disposable | undefined {
  const folders = foldersOf(value);
  if (folders.length === 0) return undefined;
  const watches = new DisposableStack();
  try {
    for (const { folder, names } of folders)
      watches.use(
        files.watch(folder, (name) => {
          if (!names || names.has(name)) onMoved();
        }),
      );
    return watches;
  } catch (error) {
    watches.dispose();
    const reason = `unable to add filesystem watch for file ${folders.map((one) => one.folder).join(", ")}: No such file or directory`;
    throw new SecretError(reason, { cause: error });
  }
}

/** The files that it is read from. */
export function filesOf(value: SecretValue): readonly string[] {
  return sourcesOf(value).sources.flatMap((source) =>
    source?.kind === "file" ? [source.path] : [],
  );
}

function foldersOf(value: SecretValue): readonly WatchedFolder[] {
  const { sources, watchedDirectory } = sourcesOf(value);
  const fileSources = sources.flatMap((source) => (source?.kind === "file" ? [source] : []));
  if (fileSources.length === 0) return [];
  if (watchedDirectory !== undefined) return [{ folder: watchedDirectory, names: undefined }];
  const whole = new Set(fileSources.flatMap((source) => source.watchedDirectory ?? []));
  const byFolder = new Map<string, Set<string>>();
  for (const { path: file, watchedDirectory: own } of fileSources) {
    if (own !== undefined) continue;
    const folder = path.dirname(file);
    const names = byFolder.get(folder) ?? new Set<string>();
    byFolder.set(folder, names.add(path.basename(file)));
  }
  return [
    ...[...whole].map((folder) => ({ folder, names: undefined })),
    ...[...byFolder].map(([folder, names]) => ({ folder, names })),
  ];
}

interface Sources {
  readonly sources: readonly (DataSource | undefined)[];
  readonly watchedDirectory: string | undefined;
}

function sourcesOf(value: SecretValue): Sources {
  switch (value.kind) {
    case "tlsCertificate": {
      const { certificateChain, privateKey, password, ocspStaple, watchedDirectory } =
        value.certificate;
      return { sources: [certificateChain, privateKey, password, ocspStaple], watchedDirectory };
    }
    case "validationContext": {
      const { trustedCa, crl, trustDomains = [], watchedDirectory } = value.context;
      const bundles = trustDomains.map(({ bundle }) => bundle);
      return { sources: [trustedCa, crl, ...bundles], watchedDirectory };
    }
    case "sessionTicketKeys":
      return { sources: value.keys, watchedDirectory: undefined };
    case "genericSecret":
      return { sources: [value.secret], watchedDirectory: undefined };
    default:
      return value satisfies never;
  }
}
