/**
 * What an admin endpoint is: a path with its help, and a function from request to response. Endpoints
 * know nothing of node:http; each gets the narrow view that it shows, and is one file.
 */

export interface AdminRequest {
  readonly query: URLSearchParams;
  /** The body of a form (`application/x-www-form-urlencoded`); absent: it was none. */
  readonly form?: URLSearchParams;
  /** As text; empty: there was none. */
  readonly body?: string;
  /** Absent: GET. */
  readonly method?: string;
  /** What follows the endpoint's path, where that ends in `/`. */
  readonly rest?: string;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Runs once the response is on the wire: what ends the process must not cut its own answer. */
  readonly afterwards?: () => void;
  /** More body comes after this one, until `end`. What it gives back is disposed when the client has gone. */
  readonly continues?: (body: AdminBody) => Disposable;
}

export interface AdminBody {
  /** The client has not read what it was sent: write no more for now. */
  readonly isSlow: boolean;
  write(text: string): void;
  end(text?: string): void;
}

export interface AdminEndpoint<Answer = AdminResponse> {
  /** One that ends in `/` stands for all paths that begin with it; an exact one goes before it. */
  readonly path: string;
  /** Changes something, or wants a body: POST alone reaches it. */
  readonly isMutation: boolean;
  /** Of the request; absent: what any form needs. */
  readonly bodyBytesMax?: number;
  /** One line for `/help`. */
  readonly help: string;
  readonly parameters?: readonly AdminParameter[];
  handle(request: AdminRequest): Answer;
}

/** Somebody else is asked first: settles within seconds. */
export type AsyncEndpoint = AdminEndpoint<Promise<AdminResponse>>;
export type AnyEndpoint = AdminEndpoint<AdminResponse | Promise<AdminResponse>>;

export interface AdminParameter {
  readonly name: string;
  readonly help: string;
  /** The values that it takes; absent: any. */
  readonly oneOf?: readonly string[];
}

export const plainText = "text/plain; charset=UTF-8";

export function textResponse(body: string, status = 200): AdminResponse {
  return { status, contentType: plainText, body };
}

/** As Envoy prints protos: one space of indent and a line end. */
export function jsonResponse(value: unknown, status = 200): AdminResponse {
  return {
    status,
    contentType: "application/json",
    body: `${JSON.stringify(value, undefined, 1)}\n`,
  };
}

export const okResponse = textResponse("OK\n");
