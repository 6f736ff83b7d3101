/**
 * Bounds how many decoded configurations main holds. Their bytes are kept, and values are made of them again
 * when somebody wants them: ten thousand decoded listeners are 200 MB, and main hardly ever looks into one.
 */

/**
 * More than workers are sent at once. The configurations of a larger push die young, and cost the collector next
 * to nothing.
 */
const recentMax = 128;

export interface ConfigHolder {
  forgetConfig(): void;
}

export class RecentConfigs {
  /** Those that hold one, oldest first. */
  readonly #holders = new Set<ConfigHolder>();

  add(holder: ConfigHolder): void {
    this.#holders.add(holder);
    if (this.#holders.size <= recentMax) return;
    const [oldest] = this.#holders;
    oldest?.forgetConfig();
  }

  /** It holds none any more. */
  delete(holder: ConfigHolder): void {
    this.#holders.delete(holder);
  }
}
