/**
 * Names of fields as the sender of a message spelled them (`stateful_formatter: preserve_case`), for peers that tell
 * cases apart, though RFC 9110 §5.1 forbids it.
 *
 * What one would get wrong: the parser writes names in lower case where they lie, in heads that are not whole yet as
 * well, so their bytes are kept before it sees them.
 */
import type { HeaderCase } from "../../../shared/config/http1-options.ts";
import { latin1Text } from "./ascii.ts";
import { headers } from "./header-table.ts";
import { eachName, properCaseName } from "./proper-case.ts";

export class SpelledNames {
  /** By the name in lower case; without those that are spelled so. */
  readonly #names: ReadonlyMap<string, Uint8Array>;
  readonly #othersProper: boolean;

  constructor(names: ReadonlyMap<string, Uint8Array>, othersProper: boolean) {
    this.#names = names;
    this.#othersProper = othersProper;
  }

  /** Of the lines bytes[start, end), each `name: value` CRLF, where they lie. */
  write(buffer: Buffer, start: number, end: number): void {
    eachName(buffer, start, end, (nameStart, nameEnd) => {
      const spelled = this.#names.get(latin1Text(buffer, nameStart, nameEnd));
      if (spelled !== undefined) buffer.set(spelled, nameStart);
      else if (this.#othersProper) properCaseName(buffer, nameStart, nameEnd);
    });
  }
}

/** Of one head after the other on a connection. */
export class HeadSpelling {
  #seen: Buffer | undefined;

  /** Before bytes[start, end), which begin with the head, are parsed; also where more of the same has come. */
  see(buffer: Buffer, start: number, end: number): void {
    const seen = this.#seen;
    if (seen === undefined) this.#seen = Buffer.from(buffer.subarray(start, end));
    else this.#seen = Buffer.concat([seen, buffer.subarray(start + seen.length, end)]);
  }

  /** Of the head that was parsed last, which began at `start`; undefined: they are not kept. */
  take(buffer: Buffer, start: number, headerCase: HeaderCase): SpelledNames | undefined {
    const seen = this.#seen;
    this.clear();
    if (seen === undefined || headerCase.kind !== "preserve") return undefined;
    const names = new Map<string, Uint8Array>();
    for (let i = 0; i < headers.count; i++) {
      const [from, to] = [headers.nameStart[i] as number, headers.nameEnd[i] as number];
      const name = latin1Text(buffer, from, to);
      // Of those that come twice the first one counts, as in Envoy.
      if (!names.has(name)) names.set(name, seen.subarray(from - start, to - start));
    }
    return new SpelledNames(names, headerCase.othersProper);
  }

  clear(): void {
    this.#seen = undefined;
  }
}
