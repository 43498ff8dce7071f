/** Lets at most `limit` operations run at once and remembers the first failure, which everybody after it gets. */
export class Limiter {
  private running = 0;
  private failure: { readonly error: unknown } | undefined;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Nothing runs. */
  get isIdle(): boolean {
    return this.running === 0;
  }

  /** Resolves when there is room to start another operation. */
  async room(): Promise<void> {
    while (this.failure === undefined && this.running >= this.limit) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.check();
  }

  /** Starts an operation without waiting for it. */
  start(operation: () => Promise<void>): void {
    this.running++;
    operation().then(
      () => this.done(),
      (error: unknown) => {
        this.failure ??= { error };
        this.done();
      },
    );
  }

  /** Resolves when nothing runs any more; rejects with the first failure. */
  async settled(): Promise<void> {
    await this.idle();
    this.check();
  }

  /** Resolves when nothing runs any more, whatever failed. */
  async idle(): Promise<void> {
    while (this.running > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  check(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  private done(): void {
    this.running--;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
