import { CbrError } from '../../core/index.js';

/**
 * What becomes of a run that is told to stop: it fails, or, where that was allowed, leaves out all that it has not begun with
 * and commits the rest as a partial snapshot.
 */
export class EarlyEnd {
  private lacks = false;

  constructor(
    private readonly signal: AbortSignal,
    private readonly mayBePartial: boolean,
  ) {}

  /** What is not under way is to be left out; `leftOut` is to be called for it. */
  get isAsked(): boolean {
    return this.mayBePartial && this.signal.aborted;
  }

  /** Something was left out. */
  get isPartial(): boolean {
    return this.lacks;
  }

  leftOut(): void {
    this.lacks = true;
  }

  /** Throws (interrupted) when the run was told to stop and must not end with less than everything. */
  check(): void {
    if (!this.mayBePartial && this.signal.aborted) throw interrupted();
  }

  /** Has `fail` called with what the run is to fail with as soon as it is told to stop. Returns what takes that back. */
  onFailure(fail: (error: CbrError) => void): () => void {
    if (this.mayBePartial) return () => undefined;
    const stop = (): void => fail(interrupted());
    this.signal.addEventListener('abort', stop);
    return () => this.signal.removeEventListener('abort', stop);
  }
}

export function interrupted(): CbrError {
  return new CbrError('interrupted', 'the snapshot was interrupted');
}
