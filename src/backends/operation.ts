import type { Backend } from './backend.js';

/** The calls of a backend that concern objects on its medium. */
export type Operation = Exclude<
  {
    [K in keyof Backend]-?: NonNullable<Backend[K]> extends (...call: never[]) => unknown ? K : never;
  }[keyof Backend],
  'close' | 'examine' | 'storedDigest'
>;
