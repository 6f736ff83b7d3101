/** Reads what a `DataSource` names. */
import type { DataSource } from "../config/data-source.ts";
import type { SecretFiles } from "./secret-files.ts";

/** Thrown on the way, and caught where a secret is loaded: the reason is for the NACK. */
export class SecretError extends Error {}

export interface ReadSource {
  readonly bytes: Buffer;
  /** As Envoy's messages name it: the path, `<inline>`, or empty where nothing was named. */
  readonly where: string;
}

const nothing: ReadSource = { bytes: Buffer.alloc(0), where: "" };

/** An absent source is empty, as in Envoy. Throws a `SecretError` for one that cannot be read. */
export function readSource(source: DataSource | undefined, files: SecretFiles): ReadSource {
  switch (source?.kind) {
    case undefined:
      return nothing;
    case "inline":
      return source.bytes.length === 0
        ? nothing
        : { bytes: Buffer.from(source.bytes), where: "<inline>" };
    case "file":
      return { bytes: readFile(source.path, files), where: source.path };
    case "environment": {
      const text = files.environment(source.name);
      if (text === undefined)
        throw new SecretError(`Environment variable doesn't exist: ${source.name}`);
      return { bytes: Buffer.from(text, "utf8"), where: "<inline>" };
    }
    default:
      return source satisfies never;
  }
}

function readFile(path: string, files: SecretFiles): Buffer {
  try {
    return Buffer.from(files.read(path));
  } catch (error) {
    throw new SecretError(`Invalid path: ${path}`, { cause: error });
  }
}
