/** `envoy.config.core.v3.DataSource`: as a text that is needed at once, or as something to be read later. */
import type { DataSource as DataSourceMessage } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { DataSource } from "./data-source.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Undefined: nothing is named. */
export function decodeDataSource(message: DataSourceMessage | undefined): DataSource | undefined {
  const { specifier, watchedDirectory } = message ?? { specifier: { case: undefined } };
  switch (specifier.case) {
    case "inlineString":
      return { kind: "inline", bytes: Buffer.from(specifier.value, "utf8") };
    case "inlineBytes":
      return { kind: "inline", bytes: Buffer.from(specifier.value) };
    case "filename":
      return { kind: "file", path: specifier.value, watchedDirectory: watchedDirectory?.path };
    case "environmentVariable":
      return { kind: "environment", name: specifier.value };
    case undefined:
      return undefined;
    default:
      return specifier satisfies never;
  }
}

/** For fields whose text goes to the workers with the configuration: only inline ones are built. */
export function decodeInlineText(message: DataSourceMessage, context: DecodeContext): string {
  const source = decodeDataSource(message);
  if (source?.kind === "inline") return Buffer.from(source.bytes).toString("utf8");
  if (source)
    context.refuse(
      `${message.$typeName}.${message.specifier.case === "filename" ? "filename" : "environment_variable"} is not supported: data sources are inline here`,
    );
  return "";
}
