/**
 * `rate_limit_settings`: how many requests may leave. A bucket that fills steadily and starts full; pure
 * arithmetic over instants of the caller's clock.
 */
export interface TokenBucketOptions {
  readonly maxTokens: number;
  readonly tokensPerSecond: number;
}

export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #atMs: number;

  constructor(options: TokenBucketOptions, nowMs: number) {
    this.#options = options;
    this.#tokens = options.maxTokens;
    this.#atMs = nowMs;
  }

  /** Milliseconds until there is a token; 0: there is one. */
  waitMs(nowMs: number): number {
    const { maxTokens, tokensPerSecond } = this.#options;
    const filled = ((nowMs - this.#atMs) / 1000) * tokensPerSecond;
    this.#tokens = Math.min(maxTokens, this.#tokens + filled);
    this.#atMs = nowMs;
    // Tokens are sums of fractions: one that is there but for rounding counts.
    if (this.#tokens >= 1 - 1e-9) return 0;
    return Math.ceil(((1 - this.#tokens) / tokensPerSecond) * 1000);
  }

  /** After `waitMs` said that there is one. */
  spend(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}
