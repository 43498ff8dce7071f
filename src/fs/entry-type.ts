/** The types of entries a tree can hold. Their order is part of the format: trees keep the position. */
export const ENTRY_TYPES = [
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character device',
  'block device',
] as const;

export type EntryType = (typeof ENTRY_TYPES)[number];

/** The type bits of st_mode, and the value they have for each type (inode(7)). */
export const TYPE_BITS = 0o170000;
export const MODE_BITS = 0o7777;

export const TYPE_MODES: Readonly<Record<EntryType, number>> = Object.freeze({
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  socket: 0o140000,
  'character device': 0o020000,
  'block device': 0o060000,
});

/** The type that st_mode tells; undefined for what Linux does not have (a door, a whiteout of another system). */
export function entryTypeOf(mode: number): EntryType | undefined {
  switch (mode & TYPE_BITS) {
    case 0o100000:
      return 'file';
    case 0o040000:
      return 'directory';
    case 0o120000:
      return 'symlink';
    case 0o010000:
      return 'fifo';
    case 0o140000:
      return 'socket';
    case 0o020000:
      return 'character device';
    case 0o060000:
      return 'block device';
    default:
      return undefined;
  }
}
