/** Which metadata a restore sets. */
export interface MetadataChoice {
  /**
   * names: the user and group of that name, where this machine has them, else the numbers; numbers: always the numbers; none:
   * all belongs to whoever restores, and no file lends its owner's rights.
   */
  readonly owners: 'names' | 'numbers' | 'none';
  /** Extended attributes. ACLs are permissions: without them the mode would let in whom they keep out, so they are always set. */
  readonly xattrs: boolean;
}

export const ALL_METADATA: MetadataChoice = Object.freeze({ owners: 'names', xattrs: true });

export const ACL_PREFIX = 'system.posix_acl_';

/** Whether an attribute is to be set. */
export function isChosenXattr({ xattrs }: MetadataChoice, name: string): boolean {
  return xattrs || name.startsWith(ACL_PREFIX);
}

/**
 * Whether an attribute that the snapshot does not have is taken from an entry that exists: those of users and of root, ACLs, and
 * capabilities, which would lend rights. What is left are labels that this machine gives by itself.
 */
export function isForeignXattr(choice: MetadataChoice, name: string): boolean {
  if (name === 'security.capability') return true;
  if (name.startsWith(ACL_PREFIX)) return true;
  return choice.xattrs && (name.startsWith('user.') || name.startsWith('trusted.'));
}
