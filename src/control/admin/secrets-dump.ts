/** The secrets of `/config_dump`. What must not be shown is left out where messages are rendered. */
import type { SecretView } from "../secret/secret-view.ts";
import {
  type DumpedResource,
  type DumpSection,
  dumpedAny,
  type RenderMessage,
  timestamp,
} from "./dump-values.ts";

const typeName = "envoy.extensions.transport_sockets.tls.v3.Secret";

/** Envoy's order of kinds. */
const kinds: readonly SecretView["kind"][] = [
  "tlsCertificate",
  "validationContext",
  "sessionTicketKeys",
  "genericSecret",
];

export function secretsSection(views: readonly SecretView[], render: RenderMessage): DumpSection {
  const sorted = views.toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  const list = (field: string, elementType: string, state: SecretView["state"]) => ({
    field,
    elementType,
    resources: sorted
      .filter((view) => view.state === state)
      .map((view): DumpedResource => ({ name: view.name, json: secretJson(view, render) })),
  });
  return {
    type: "SecretsConfigDump",
    fields: {},
    lists: [
      list("static_secrets", "StaticSecret", "static"),
      list("dynamic_active_secrets", "DynamicSecret", "active"),
      list("dynamic_warming_secrets", "DynamicSecret", "warming"),
    ],
  };
}

function secretJson(view: SecretView, render: RenderMessage): DumpedResource["json"] {
  const { name } = view;
  switch (view.state) {
    case "static":
      return { name, secret: dumpedAny(render, typeName, view.bytes) };
    case "active":
      return {
        name,
        version_info: view.version,
        last_updated: timestamp(view.sinceMs),
        secret: dumpedAny(render, typeName, view.bytes),
      };
    case "warming":
      return {
        name,
        version_info: "uninitialized",
        last_updated: timestamp(view.sinceMs),
        secret: { "@type": `type.googleapis.com/${typeName}`, name },
      };
    default:
      return view satisfies never;
  }
}
