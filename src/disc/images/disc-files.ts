/** The files of one disc, wherever they are: in an image, in a drive, or in a folder it was copied or mounted to. */
export interface DiscFiles {
  /** How the user finds it. */
  readonly place: string;
  /** It can be taken out and another one put in. */
  readonly isDrive: boolean;
  /** It may be gone when another one has come: a drive, or a folder to which a disc is mounted. */
  readonly mayGo: boolean;
  /** Bytes of each file that are there, by its path from the root of the disc: fewer than it had where an image is cut short. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Bytes that an image lacks of its file system: 0 where it is whole. */
  readonly lacking: number;
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
