/** Methods that may be sent again: GET, HEAD, OPTIONS, TRACE; PUT and DELETE are idempotent as well (RFC 9110 §9.2.2). */

/** `bytes`: of the method, which the parser has judged. By first letter and length, so nothing is compared or made. */
export function isRepeatableMethod(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start];
  switch (end - start) {
    case 3:
      // GET; PUT shares its first letter with POST only.
      return first === 0x47 || first === 0x50;
    case 4:
      return isHeadMethod(bytes, start, end);
    case 5:
      return first === 0x54;
    case 6:
      return first === 0x44;
    case 7:
      return first === 0x4f;
    default:
      return false;
  }
}

/** HEAD alone of all methods: its answer has no body. */
export function isHeadMethod(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 4 && bytes[start] === 0x48 && bytes[start + 1] === 0x45;
}

export function isPostMethod(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 4 && bytes[start] === 0x50 && bytes[start + 1] === 0x4f;
}
