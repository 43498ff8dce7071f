/** What a store says of itself beyond the contract of a backend. What it does not tell is `unknown`, never guessed. */
export interface StoreFacts {
  /** Its clock less that of this machine, by the Date of its answers; undefined when it tells no time. */
  readonly clockSkewSeconds: number | undefined;
  /** Whether what is removed or overwritten stays there as an older version, and is paid for. */
  readonly versioning: 'on' | 'off' | 'suspended' | 'unknown';
  readonly objectLock: ObjectLock;
  /**
   * With which checksum it refuses a body that was changed on its way: tried with a wrong one, not asked for. `none`: it
   * stores such a body.
   */
  readonly checksum: 'sha256' | 'md5' | 'none' | 'unknown';
}

/** For how long new objects cannot be removed by anybody, unless told otherwise. */
export type ObjectLock =
  | { readonly state: 'off' | 'unknown' }
  /** No `mode`: the bucket can lock objects, and does not do so by itself. */
  | { readonly state: 'on'; readonly mode?: 'governance' | 'compliance'; readonly days?: number };
