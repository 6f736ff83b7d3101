/** Type URLs: what an Any and an xDS request name a type by. */

/** `type.googleapis.com/a.B` names `a.B`; the part before the slash means nothing. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

/** The URL that Envoy writes for a type. */
export function typeUrlOf(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}
