import type { ObjectReader } from '../../backends/index.js';
import type { Repository } from '../../repo/index.js';
import type { CheckProgress } from './check-progress.js';
import type { Findings } from './findings.js';

/** What every part of a check works with. */
export interface CheckContext {
  readonly repository: Repository;
  /** Reads the repository itself, never the cache. */
  readonly backend: ObjectReader;
  readonly findings: Findings;
  readonly progress: CheckProgress;
  readonly signal: AbortSignal;
}
