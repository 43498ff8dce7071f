/** A file of a disc. */
export interface IsoFile {
  /** From the root of the disc, without a slash in front. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Where they lie in the image, in bytes and in their order: more than one in files beyond 4 GiB. */
  readonly extents: readonly IsoExtent[];
}

export interface IsoExtent {
  readonly offset: number;
  readonly length: number;
}

/** Where names are from. */
export type IsoNaming = 'rock-ridge' | 'joliet' | 'plain';

export interface IsoSession {
  /** Where it begins, in sectors of 2048 bytes. */
  readonly sector: number;
  readonly volumeId: string;
}

/** What one session of a disc shows. */
export interface IsoVolume {
  readonly volumeId: string;
  /** The oldest first, as far as the image tells. */
  readonly sessions: readonly IsoSession[];
  /** Bytes that the image must have for this volume to be whole, by its descriptor. */
  readonly bytes: number;
  readonly naming: IsoNaming;
  /** Regular files alone. */
  readonly files: ReadonlyMap<string, IsoFile>;
  /** Why names are not those of Rock Ridge though the disc has it: its folders are damaged, and those of Joliet stand in. */
  readonly damage?: Error;
  /** Why an earlier session is shown than the newest one. */
  readonly earlier?: Error;
}
