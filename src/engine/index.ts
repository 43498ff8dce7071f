export * from './limiter.js';
export * from './serve-tasks.js';
export * from './slab.js';
export type { TaskTable, Transfer } from './tasks.js';
export * from './worker-pool.js';
