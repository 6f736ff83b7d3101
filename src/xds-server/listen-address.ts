/** Where to listen, as people write it: `127.0.0.1:18000`, `[::1]:0`, `unix:/run/xds.sock`. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** Throws a sentence that says what is wrong with it. */
export function listenAddressOf(text: string): ListenAddress {
  if (text.startsWith("unix:")) return { path: text.slice("unix:".length) };
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.["port"]);
  const host = match?.groups?.["v6"] ?? match?.groups?.["host"];
  if (host === undefined || port > 65_535)
    throw new Error(`'${text}' is no address: want host:port, such as 127.0.0.1:18000`);
  return { host, port };
}
