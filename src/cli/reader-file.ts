import { join } from 'node:path';

/** The program that goes on every disc; beside what this was built into. */
export const READER = join(import.meta.dirname, '..', 'restore', 'cbr-restore.mjs');
