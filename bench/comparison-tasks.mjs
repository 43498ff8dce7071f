/**
 * The tasks of the comparison, in the order in which they are run: each begins with what the ones before it left. `is` and `note`
 * are for what a line cannot tell; the rest is tried.
 */
import { BACKUP_TASKS } from './comparison-tasks-backup.mjs';
import { FIND_TASKS } from './comparison-tasks-find.mjs';
import { KEEP_TASKS } from './comparison-tasks-keep.mjs';
import { RESTORE_TASKS } from './comparison-tasks-restore.mjs';

/** @type {readonly import('./comparison-run.mjs').Task[]} */
export const TASKS = [...BACKUP_TASKS, ...FIND_TASKS, ...RESTORE_TASKS, ...KEEP_TASKS];
