export * from './cut-points.js';
