/** An HTTP filter that adds a field to both heads, and looks at every part of both bodies or at none. */
import type { HttpFilter, HttpFilterModule } from "../../src/shared/http-filter/http-filter.ts";

const heads: HttpFilter = {
  decodeHeaders: (fields) => fields.set("x-bench", "1"),
  encodeHeaders: (fields) => fields.set("x-bench", "1"),
};
const bodies: HttpFilter = { ...heads, decodeData: () => {}, encodeData: () => {} };

export const filter: HttpFilterModule = {
  name: "bench.passing",
  configure: ({ sees }) => ({ create: () => (sees === "bodies" ? bodies : heads) }),
};
