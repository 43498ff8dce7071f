/** Limits of the format (docs/format.md, "Limits"), checked before anything is allocated. Sizes in bytes. */
export const LIMITS = Object.freeze({
  chunk: 8 * 2 ** 20,
  blockPlain: 16 * 2 ** 20,
  blockChunks: 65_535,
  pack: 2 ** 30,
  packBlocks: 65_535,
  record: 64 * 2 ** 20,
  name: 65_535,
  segmentChunks: 200_000,
});

/** Binary multiples, in bytes. */
export const KIB = 1024;
export const MIB = 1024 * 1024;
export const GIB = 1024 * 1024 * 1024;
