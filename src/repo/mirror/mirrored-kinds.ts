import type { ListedObject } from '../../backends/index.js';

/** What a mirror has, in the order in which it is written; sessions, marks and heartbeats are nothing that can be copied. */
export const MIRRORED_KINDS = [
  // A repository exists from the moment it has a config, and must be readable then.
  'keys',
  'config',
  'packs',
  'index',
  'leases',
  'forgotten',
  'snapshots',
  'notes',
  'policies',
  'catalog',
] as const;
export type MirroredKind = (typeof MIRRORED_KINDS)[number];

/** Objects by name. */
export type Objects = ReadonlyMap<string, ListedObject>;
export type Listing = Readonly<Record<MirroredKind, Objects>>;

export interface MirroredObject extends ListedObject {
  readonly kind: MirroredKind;
}

/** A listing in which each kind is what `objects` says of it. */
export function listingOf(objects: (kind: MirroredKind) => Objects): Listing {
  return Object.fromEntries(MIRRORED_KINDS.map((kind) => [kind, objects(kind)])) as unknown as Listing;
}

/** Of leases only the records: signs of life are those of a process, not of a repository. */
export function isMirrored(kind: MirroredKind, name: string): boolean {
  return kind !== 'leases' || name.startsWith('prune/');
}
