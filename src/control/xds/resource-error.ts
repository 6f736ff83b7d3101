/**
 * `envoy.service.discovery.v3.ResourceError`: the server knows of a resource and cannot give it. It refuses
 * nothing that is held: whoever waits for the resource learns why it does not come.
 */
import type jspb from "google-protobuf";
import { canonicalName } from "../proto/xdstp-name.ts";
import { eachField, readText } from "./wire.ts";

export interface ResourceError {
  readonly name: string;
  /** `google.rpc.Status.code`. */
  readonly code: number;
  readonly message: string;
}

/** `message` is what the reader was made of. Throws like the reader. */
export function readResourceError(reader: jspb.BinaryReader, message: Uint8Array): ResourceError {
  const error = { name: "", code: 0, message: "" };
  reader.readMessage(error, (_, inner: jspb.BinaryReader) =>
    eachField(inner, (field) => {
      if (field === 1)
        inner.readMessage(error, (_name, name: jspb.BinaryReader) =>
          eachField(name, (part) => {
            if (part === 1) error.name = readText(name, message);
            else name.skipField();
          }),
        );
      else if (field === 2)
        inner.readMessage(error, (_status, status: jspb.BinaryReader) =>
          eachField(status, (part) => {
            if (part === 1) error.code = status.readInt32();
            else if (part === 2) error.message = readText(status, message);
            else status.skipField();
          }),
        );
      else inner.skipField();
    }),
  );
  return { ...error, name: canonicalName(error.name) };
}
