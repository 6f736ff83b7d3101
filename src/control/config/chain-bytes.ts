/**
 * A listener's bytes, cut into its filter chains and what is beside them: chains that are the same byte for byte need
 * not be read to know that.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** With fewer chains there is nothing to win. */
const chainsMin = 16;

/** `Listener.name` and `Listener.filter_chains`, by number. */
const nameField = 1;
const chainsField = 3;

export interface ChainPart {
  /** Equal for equal bytes. */
  readonly key: string;
  /** With its tag and length. */
  readonly frame: Uint8Array;
}

export interface ListenerParts {
  readonly chains: readonly ChainPart[];
  /** All other fields, with their tags. */
  readonly outside: readonly Uint8Array[];
}

/** Undefined where it is of no use, or not possible: few chains, no name of its own, bytes that are broken. */
export function listenerPartsOf(bytes: Uint8Array): ListenerParts | undefined {
  const chains: ChainPart[] = [];
  const outside: Uint8Array[] = [];
  let isNamed = false;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [field, wireType] = reader.tag();
      isNamed ||= field === nameField;
      const bodyStart = reader.pos;
      reader.skip(wireType, field);
      const frame = bytes.subarray(start, reader.pos);
      if (field === chainsField) chains.push({ key: textOf(bytes, bodyStart, reader.pos), frame });
      else outside.push(frame);
    }
  } catch {
    return undefined;
  }
  return isNamed && chains.length >= chainsMin ? { chains, outside } : undefined;
}

/** The bytes of a listener that lacks some of the chains. */
export function withoutChains(
  { chains, outside }: ListenerParts,
  isLeftOut: (chain: ChainPart) => boolean,
): Uint8Array {
  const kept = chains.filter((chain) => !isLeftOut(chain)).map(({ frame }) => frame);
  return Buffer.concat([...outside, ...kept]);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
