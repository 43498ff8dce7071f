import type { S3Client } from '@aws-sdk/client-s3';
import { BackendError } from '../../core/index.js';
import type { CallOptions } from '../backend.js';
import { AWAY_HINT, storeFailure } from './s3-errors.js';
import type { S3Location } from './s3-location.js';
import { Turns } from './s3-turns.js';

/** A request of which nothing moved for so long is given up: the store, or something on the way, has forgotten it. */
const STALL_MS = 60_000;

export interface RequestOptions extends CallOptions {
  /** It carries the body of a pack or of an index segment: what is small and cannot wait passes it. */
  readonly isBody?: boolean;
}

/** What a request under way is given. */
export interface Underway {
  readonly isBody: boolean;
  /** Aborted by the caller's signal, and when nothing has moved for too long. */
  readonly signal: AbortSignal;
  /** Says that something has moved. */
  moved(): void;
}

/** Sends requests for one bucket: what all of them have in common. */
export class S3Requests {
  private readonly turns: Turns;

  /** `connections`: how many requests are under way at the same time; the client must have one more, see `Turns`. */
  constructor(
    readonly client: S3Client,
    readonly location: S3Location,
    connections: number,
    private readonly stallMs = STALL_MS,
  ) {
    this.turns = new Turns(connections);
  }

  /**
   * Runs one request with its body. Not at all when the call is aborted already; rejects with the signal's reason when it is
   * aborted meanwhile, with what `storeFailure` makes of a failure otherwise.
   */
  async run<T>(
    what: string,
    { signal, isBody = false }: RequestOptions,
    request: (underway: Underway) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    // Whoever waits for others is not kept waiting by the store.
    await this.turns.begin(signal, isBody);
    const stopping = new AbortController();
    const onAbort = (): void => stopping.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    let isStalled = false;
    const giveUp = (): void => {
      isStalled = true;
      stopping.abort();
    };
    const timer = setTimeout(giveUp, this.stallMs);
    const moved = (): void => {
      timer.refresh();
    };
    try {
      // It may have been aborted at the very moment at which its turn came.
      signal?.throwIfAborted();
      return await request({ signal: stopping.signal, moved, isBody });
    } catch (error) {
      // An answer that nobody reads to its end would keep its connection.
      stopping.abort();
      signal?.throwIfAborted();
      if (isStalled) {
        throw new BackendError(`${what}: the store has been silent for ${this.stallMs / 1000} s`, true, {
          hint: AWAY_HINT,
          cause: error,
        });
      }
      throw storeFailure(what, error);
    } finally {
      this.turns.end();
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
