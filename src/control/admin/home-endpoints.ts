/** `/` for a browser and `/help` for a terminal: what can be asked here. */
import { helpOf } from "./admin-router.ts";
import { type AdminEndpoint, type AnyEndpoint, textResponse } from "./endpoint.ts";

/** Both list all `endpoints`, and themselves. */
export function homeEndpoints(endpoints: readonly AnyEndpoint[]): readonly AnyEndpoint[] {
  const help: AdminEndpoint = {
    path: "/help",
    isMutation: false,
    help: "print out list of admin commands",
    handle: () => textResponse(`admin commands are:\n${helpOf(all)}`),
  };
  const home: AdminEndpoint = {
    path: "/",
    isMutation: false,
    help: "Admin home page",
    handle: () => ({
      status: 200,
      contentType: "text/html; charset=UTF-8",
      body: homePage(all),
    }),
  };
  const all = [...endpoints, help, home];
  return all;
}

function homePage(endpoints: readonly AnyEndpoint[]): string {
  const rows = endpoints
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, isMutation, help }) => {
      // A link would be followed by a prefetch: what changes something is a button.
      const control = isMutation
        ? `<form method="post" action="${path}"><button>${path}</button></form>`
        : `<a href="${path}">${path}</a>`;
      return `<tr><td>${control}</td><td>${escapeHtml(help)}</td></tr>\n`;
    });
  return (
    '<!DOCTYPE html>\n<html lang="en">\n<head><title>Sluice Admin</title>\n' +
    "<style>body{font-family:sans-serif}td{padding:4px 12px 4px 0}form{margin:0}</style></head>\n" +
    `<body><table>\n${rows.join("")}</table></body>\n</html>\n`
  );
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
