/** Writes `envoy.service.load_stats.v3.LoadStatsRequest` and reads `LoadStatsResponse`. */
import type jspb from "google-protobuf";
import type { Locality } from "../../shared/config/cluster-config.ts";
import { type Read, eachField, eachFieldOf, guarded, readText } from "../xds/wire.ts";
import {
  messageBytes,
  type Writer,
  writeAddress,
  writeCount,
  writeMessage,
  writeMs,
  writeText,
} from "./field-writer.ts";
import type { ClusterReport, EndpointReport, Load, LocalityReport } from "./load-report.ts";

/** What the server wants to be told, and how often. */
export interface LoadRequest {
  /** Names of clusters, or every cluster there is. */
  readonly clusters: readonly string[] | "all";
  readonly intervalMs: number;
  readonly byEndpoint: boolean;
}

/** Numbers of the fields that localities and endpoints do not share. */
const localityField = { issued: 8, priority: 6, endpoints: 7 } as const;
const endpointField = { issued: 7 } as const;

/** `node` is a serialised `core.v3.Node`. */
export function writeLoadStats(node: Uint8Array, reports: readonly ClusterReport[]): Uint8Array {
  return messageBytes((writer) => {
    writer.writeBytes(1, node);
    for (const report of reports) writeMessage(writer, 2, (inner) => writeCluster(inner, report));
  });
}

function writeCluster(writer: Writer, report: ClusterReport): void {
  writer.writeString(1, report.cluster);
  for (const locality of report.localities)
    writeMessage(writer, 2, (inner) => writeLocality(inner, locality));
  writeCount(writer, 3, report.dropped);
  writeMs(writer, 4, report.intervalMs);
  writeText(writer, 6, report.serviceName);
}

function writeLocality(writer: Writer, report: LocalityReport): void {
  writeMessage(writer, 1, (inner) => writeName(inner, report.locality));
  writeLoad(writer, report.load, localityField.issued);
  writeCount(writer, localityField.priority, report.priority);
  for (const endpoint of report.endpoints)
    writeMessage(writer, localityField.endpoints, (inner) => writeEndpoint(inner, endpoint));
}

function writeName(writer: Writer, { region, zone, subZone }: Locality): void {
  writeText(writer, 1, region);
  writeText(writer, 2, zone);
  writeText(writer, 3, subZone);
}

function writeEndpoint(writer: Writer, { address, load }: EndpointReport): void {
  writeAddress(writer, 1, address);
  writeLoad(writer, load, endpointField.issued);
}

function writeLoad(writer: Writer, load: Load, issuedField: number): void {
  writeCount(writer, 2, load.successful);
  writeCount(writer, 3, load.inProgress);
  writeCount(writer, 4, load.error);
  writeCount(writer, issuedField, load.issued);
}

export function readLoadRequest(bytes: Uint8Array): Read<LoadRequest> {
  return guarded(() => {
    const clusters: string[] = [];
    let [intervalMs, byEndpoint, all] = [0, false, false];
    eachFieldOf(bytes, (field, reader) => {
      if (field === 1) clusters.push(readText(reader, bytes));
      else if (field === 2) intervalMs = readDurationMs(reader);
      else if (field === 3) byEndpoint = reader.readBool();
      else if (field === 4) all = reader.readBool();
      else reader.skipField();
    });
    return { clusters: all ? "all" : clusters, intervalMs, byEndpoint };
  });
}

function readDurationMs(reader: jspb.BinaryReader): number {
  let ms = 0;
  reader.readMessage(undefined, () =>
    eachField(reader, (field) => {
      if (field === 1) ms += reader.readInt64() * 1000;
      else if (field === 2) ms += reader.readInt32() / 1e6;
      else reader.skipField();
    }),
  );
  return ms;
}
