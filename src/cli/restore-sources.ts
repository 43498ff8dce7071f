import { join } from 'node:path';
import type { RestoreSources } from '../disc/index.js';

const ROOT = join(import.meta.dirname, '..', '..');

/** What goes on every disc: beside what this was built into, and among the documents that come with it. */
export const RESTORE_SOURCES: RestoreSources = {
  reader: join(ROOT, 'dist', 'restore', 'cbr-restore.mjs'),
  format: join(ROOT, 'docs', 'format.md'),
};
