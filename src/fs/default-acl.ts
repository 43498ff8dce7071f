import { cString, native } from './native.js';
import { once } from './once.js';
import { XATTR_BYTES } from './xattrs.js';

/**
 * A folder with a default ACL gives every new entry an ACL that its snapshot does not have. Restored entries start
 * without it; their own is set with their metadata.
 */
const names = once(() => ({
  access: cString('system.posix_acl_access'),
  inherited: cString('system.posix_acl_default'),
  value: Buffer.allocUnsafeSlow(XATTR_BYTES),
}));

/** Whether entries made in the open folder inherit an ACL from it. */
export function inheritsAcl(fd: number): boolean {
  const calls = native();
  const { inherited, value } = names();
  return calls !== undefined && calls.fgetxattr(fd, inherited, value, value.length) > 0;
}

/** Takes the inherited ACLs from something just created. There may be none, and then the calls fail without harm. */
export function removeInheritedAcl(fd: number): void {
  const calls = native();
  calls?.fremovexattr(fd, names().access);
  calls?.fremovexattr(fd, names().inherited);
}

/** As `removeInheritedAcl`, for what cannot be opened; `path` must not end in a symlink. */
export function removeInheritedAclAt(path: string): void {
  native()?.removexattr(cString(path), names().access);
}
