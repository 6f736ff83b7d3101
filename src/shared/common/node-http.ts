/**
 * `node:http` without `fetch`: an import of it reads all that it exports, and one of those loads a whole HTTP client
 * of 25 ms, in every thread that does so. Its types are imported from `node:http`, which costs nothing.
 */
export const { Agent, STATUS_CODES, createServer, request } = process.getBuiltinModule("node:http");
