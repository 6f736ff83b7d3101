/**
 * What istiod sent to a proxy, and what the proxy answered, in order (see README.md). The responses are the
 * bytes of the wire. Read from one compressed archive, for most of it repeats: 3.5 MB become 31 KB.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";

export const recordingNames = [
  "gateway-sotw",
  "gateway-delta",
  "sidecar-sotw",
  "sidecar-delta",
] as const;
export type RecordingName = (typeof recordingNames)[number];

export type TypeName = "CDS" | "EDS" | "LDS" | "RDS";

export const typeUrls: Readonly<Record<TypeName, string>> = {
  CDS: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  EDS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  LDS: "type.googleapis.com/envoy.config.listener.v3.Listener",
  RDS: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};

export interface RecordedRequest {
  readonly kind: "request";
  readonly phase: string;
  readonly type: TypeName;
  /** Of the response that it answers; empty for one that only subscribes. */
  readonly nonce: string;
  readonly version: string;
  /** All names asked for, in state of the world. */
  readonly names: readonly string[];
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

export interface RecordedResponse {
  readonly kind: "response";
  readonly phase: string;
  readonly type: TypeName;
  readonly nonce: string;
  readonly version: string;
  readonly names: readonly string[];
  readonly removed: readonly string[];
  /** DiscoveryResponse or DeltaDiscoveryResponse. */
  readonly bytes: Buffer;
}

export interface Recording {
  readonly name: RecordingName;
  readonly isDelta: boolean;
  readonly entries: readonly (RecordedRequest | RecordedResponse)[];
}

export function readRecording(name: RecordingName): Recording {
  const files = readTar(
    zstdDecompressSync(readFileSync(path.join(import.meta.dirname, "recordings.tar.zst"))),
  );
  const file = (inner: string): Buffer => {
    const content = files.get(`${name}/${inner}`);
    assert(content, `${name}/${inner} is not in the archive`);
    return content;
  };
  const lines = file("log.ndjson").toString().trim().split("\n");
  const entries = lines.flatMap((line) => entryOf(JSON.parse(line) as LogLine, file) ?? []);
  return { name, isDelta: name.endsWith("delta"), entries };
}

/** A line of `log.ndjson`. */
interface LogLine {
  readonly phase: string;
  readonly dir: "req" | "res";
  readonly short: string;
  readonly file?: string;
  readonly version?: string;
  readonly nonce?: string;
  readonly names?: readonly string[];
  readonly removed?: readonly string[];
  readonly version_info?: string;
  readonly response_nonce?: string;
  readonly resource_names?: readonly string[];
  readonly resource_names_subscribe?: readonly string[];
  readonly resource_names_unsubscribe?: readonly string[];
}

/** Undefined for what is not between istiod and the proxy: the agent between them asks for names of its own. */
function entryOf(
  line: LogLine,
  file: (name: string) => Buffer,
): RecordedRequest | RecordedResponse | undefined {
  if (!(line.short in typeUrls)) return undefined;
  const { phase } = line;
  const type = line.short as TypeName;
  if (line.dir === "req")
    return {
      kind: "request",
      phase,
      type,
      nonce: line.response_nonce ?? "",
      version: line.version_info ?? "",
      names: line.resource_names ?? [],
      subscribe: line.resource_names_subscribe ?? [],
      unsubscribe: line.resource_names_unsubscribe ?? [],
    };
  return {
    kind: "response",
    phase,
    type,
    nonce: line.nonce ?? "",
    version: line.version ?? "",
    names: line.names ?? [],
    removed: line.removed ?? [],
    bytes: file(`${line.file}.pb`),
  };
}

/** POSIX tar, of plain files with short names: blocks of 512 bytes, a header with name and octal size. */
function readTar(archive: Buffer): ReadonlyMap<string, Buffer> {
  const blockBytes = 512;
  const files = new Map<string, Buffer>();
  for (let at = 0; at < archive.length && archive[at] !== 0;) {
    const text = (start: number, end: number): string =>
      archive
        .toString("latin1", at + start, at + end)
        .replace(/\0.*$/s, "")
        .trim();
    const sizeBytes = Number.parseInt(text(124, 136), 8);
    files.set(text(0, 100), archive.subarray(at + blockBytes, at + blockBytes + sizeBytes));
    at += blockBytes + Math.ceil(sizeBytes / blockBytes) * blockBytes;
  }
  return files;
}
