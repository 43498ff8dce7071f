export * from './bytes.js';
export * from './errors.js';
export * from './ids.js';
export * from './limits.js';
export * from './messagepack.js';
export * from './process-identity.js';
export * from './record.js';
export * from './version.js';
