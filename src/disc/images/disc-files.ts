import { LIMITS } from '../../core/index.js';
import { objectAt } from '../object-at.js';

/** The files of one disc, wherever they are: in an image, in a drive, or in a folder it was copied or mounted to. */
export interface DiscFiles {
  /** How the user finds it. */
  readonly place: string;
  /** It can be taken out and another one put in. */
  readonly isDrive: boolean;
  /** It may be gone when another one has come: a drive, or a folder to which a disc is mounted. */
  readonly mayGo: boolean;
  /**
   * Bytes of each file that are there, by its path from the root of the disc: fewer than it had where an image is cut short. What is larger than
   * any object of its kind can be is left out.
   */
  readonly sizes: ReadonlyMap<string, number>;
  /** Bytes that an image lacks of its file system: 0 where it is whole. */
  readonly lacking: number;
  /** Why an image shows an earlier session than its newest one. */
  readonly earlier?: Error;
  /**
   * Exactly these bytes, which belong to the caller. Rejects with DamagedError when the file ends before or the medium cannot read
   * them, with BackendError when it is gone.
   */
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Whether the same disc is still there, in the same state. Never rejects. */
  isStill(): Promise<boolean>;
  /** Waits for reads that are underway. */
  close(): Promise<void>;
}

/** With what seals and padding add, and a pack has its table beside its blocks. */
const MOST_BYTES = { record: 2 * LIMITS.record, pack: LIMITS.pack + LIMITS.record } as const;

/** Whether a file may be what its path says: some are read at once, and a disc may be made to harm. */
export function isPlausible(path: string, bytes: number): boolean {
  const kind = objectAt(path)?.kind;
  return kind === undefined || bytes <= (kind === 'packs' ? MOST_BYTES.pack : MOST_BYTES.record);
}
