/**
 * `normalize_path` and `merge_slashes`: one spelling for one path, so that a route or a rule cannot be
 * walked around with `/public/../private` (RFC 3986 §6.2.2; Envoy canonicalises as Chromium does).
 */
export function normalizePath(
  path: string,
  wants: { readonly normalizePath: boolean; readonly mergeSlashes: boolean },
): string | undefined {
  let result: string | undefined = path;
  if (wants.normalizePath && needsCare.test(path)) result = canonical(path);
  if (result !== undefined && wants.mergeSlashes) result = result.replaceAll(/\/{2,}/g, "/");
  return result;
}

/** Most paths have none of these and are left alone. */
const needsCare = /[%\\]|\/\./;

/** Undefined: the path hides a NUL or an escape that is none. */
function canonical(path: string): string | undefined {
  const slashed = path.replaceAll("\\", "/");
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(slashed)) return undefined;
  const unescaped = slashed.replaceAll(/%([0-9A-Fa-f]{2})/g, (escape, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape;
  });
  return withoutDots(unescaped);
}

/** RFC 3986 §5.2.4; dots above the root lead to the root. */
function withoutDots(path: string): string {
  const segments = path.split("/").slice(1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
    if (isLast && (segment === "." || segment === "..")) kept.push("");
  }
  return `/${kept.join("/")}`;
}
