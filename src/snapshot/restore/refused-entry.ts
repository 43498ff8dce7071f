import { CbrError, messageOf } from '../../core/index.js';
import { FileError } from '../../fs/index.js';
import type { RestoreReport } from './restore-report.js';

const FULL: readonly string[] = ['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE'];

/** Reports an entry that the target refuses. Rethrows what is not about this one entry. */
export function loseRefused(path: string, error: unknown, report: RestoreReport): void {
  const isEntry = error instanceof FileError || (error instanceof CbrError && error.code === 'format');
  const isFull = error instanceof FileError && FULL.includes(error.errno ?? '');
  if (!isEntry || isFull) throw error;
  report.lose(path, messageOf(error));
}
