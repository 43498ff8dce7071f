import type { Finding } from './findings.js';

export interface CheckOptions {
  /** Percent of the content (by stored bytes) to read and verify as well; 0: structure only. */
  readonly readData: number;
  readonly threads: number;
  readonly signal: AbortSignal;
}

export interface CheckReport {
  /** Damage, in the order of object names. */
  readonly findings: readonly Finding[];
  /** What deserves a word and is no damage: sentences without a full stop. */
  readonly notes: readonly string[];
  /** Valid snapshots. */
  readonly snapshots: number;
  /** Packs that counting index segments name. */
  readonly packs: number;
  /** Those among them that are on parts of the medium which are not at hand, and were not read. */
  readonly absentPacks: number;
  /** Those of them with trees that snapshots reach: what these name was not looked for. */
  readonly absentTrees: number;
  /** Distinct chunks that they name. */
  readonly chunks: number;
  /** Stored bytes of packs that were read whole. */
  readonly bytesRead: number;
}
