/** What the story reads of a running proxy: its admin interface, and nothing else. */

/** One entry of `GET /drains`, as far as the story shows it. */
export interface DrainShown {
  readonly id: number;
  readonly cause: string;
  readonly listener: string | null;
  readonly state: string;
  readonly deadline: string;
  readonly connections: { readonly at_start: number; readonly remaining: number };
}

interface ListenersJson {
  readonly listener_statuses?: readonly { readonly name: string }[];
}

export class AdminClient {
  /** `127.0.0.1:9901`. */
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  async isReady(): Promise<boolean> {
    return (await this.#get("/ready"))?.ok ?? false;
  }

  /** Names of the active listeners. */
  async listeners(): Promise<readonly string[]> {
    const json = (await (await this.#get("/listeners?format=json"))?.json()) as
      | ListenersJson
      | undefined;
    return (json?.listener_statuses ?? []).map(({ name }) => name);
  }

  /** Those under way and those that ended; empty at a proxy that does not tell. */
  async drains(): Promise<readonly DrainShown[]> {
    const response = await this.#get("/drains");
    if (!response?.ok) return [];
    return ((await response.json()) as { readonly drains: readonly DrainShown[] }).drains;
  }

  /** One statistic, 0 if there is none of that name. */
  async stat(name: string): Promise<number> {
    const response = await this.#get(
      `/stats?filter=${encodeURIComponent(`^${RegExp.escape(name)}$`)}`,
    );
    const text = (await response?.text()) ?? "";
    return Number(/: (\d+)/.exec(text)?.[1] ?? 0);
  }

  async #get(path: string): Promise<Response | undefined> {
    try {
      return await fetch(`http://${this.address}${path}`, { signal: AbortSignal.timeout(5000) });
    } catch {
      // Not there yet, or just ended; whoever asks will ask again.
      return undefined;
    }
  }
}
