/** Until when an OCSP response says what it says (RFC 6960 4.2.1): `nextUpdate` of its first certificate. */
import { type Element, elementsOf } from "./der.ts";

const tags = { sequence: 0x30, octets: 0x04, time: 0x18, explicit0: 0xa0 } as const;
/** GeneralizedTime as RFC 5280 4.1.2.5.2 has it. */
const written = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Milliseconds since 1970; undefined: it does not say, or cannot be read. Never throws. */
export function nextUpdateMsOf(der: Buffer): number | undefined {
  const bytes = within(within(within(elementsOf(der)[0]).find(isExplicit))[0]).at(-1);
  const basic = bytes?.tag === tags.octets ? elementsOf(bytes.content)[0] : undefined;
  const responses = within(within(basic)[0]).find(isListOfResponses);
  const [single] = within(responses);
  const next = within(within(single).slice(2).find(isExplicit))[0];
  return next?.tag === tags.time ? timeOf(next.content.toString("latin1")) : undefined;
}

function within(element: Element | undefined): readonly Element[] {
  return element ? elementsOf(element.content) : [];
}

function isExplicit({ tag }: Element): boolean {
  return tag === tags.explicit0;
}

/** The one list among versions, names, times and extensions. */
function isListOfResponses({ tag }: Element): boolean {
  return tag === tags.sequence;
}

function timeOf(text: string): number | undefined {
  const parts = written.exec(text)?.slice(1).map(Number);
  if (!parts) return undefined;
  const [year = 0, month = 1, day = 1, hours, minutes, seconds] = parts;
  return Date.UTC(year, month - 1, day, hours, minutes, seconds);
}
