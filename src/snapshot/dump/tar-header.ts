/** The 512 bytes in front of each entry of a tar archive (POSIX.1-2017, pax, "ustar Interchange Format"). */

export const TAR_BLOCK = 512;

/** What fits into the fields of a header; what does not is told in a pax header before it. */
export const TAR_LIMITS = Object.freeze({
  name: 100,
  owner: 32,
  /** Octal digits: 7 and 11 of them. */
  number: 0o7777777,
  size: 0o77777777777,
});

export type TarType = '0' | '1' | '2' | '3' | '4' | '5' | '6' | 'x';

/** Texts are raw bytes as latin1. What is too long is cut, a number that is too large becomes 0. */
export interface TarHeader {
  readonly name: string;
  readonly type: TarType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  readonly linkName?: string;
  readonly user?: string;
  readonly group?: string;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

export function tarHeader(header: TarHeader): Buffer {
  const { name, type, mode, uid, gid, size, mtime, linkName = '', user = '', group = '', device } = header;
  const bytes = Buffer.alloc(TAR_BLOCK);
  const text = (value: string, at: number, width: number): void => {
    bytes.write(value.slice(0, width), at, 'latin1');
  };
  const octal = (value: number, at: number, digits: number): void => {
    const fits = value >= 0 && value < 8 ** digits;
    text((fits ? value : 0).toString(8).padStart(digits, '0'), at, digits);
  };
  text(name, 0, TAR_LIMITS.name);
  octal(mode, 100, 7);
  octal(uid, 108, 7);
  octal(gid, 116, 7);
  octal(size, 124, 11);
  octal(mtime, 136, 11);
  text(' '.repeat(8), 148, 8);
  text(type, 156, 1);
  text(linkName, 157, TAR_LIMITS.name);
  text('ustar\x0000', 257, 8);
  // One byte less: some readers want a NUL at the end.
  text(user, 265, TAR_LIMITS.owner - 1);
  text(group, 297, TAR_LIMITS.owner - 1);
  octal(device?.major ?? 0, 329, 7);
  octal(device?.minor ?? 0, 337, 7);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return bytes;
}

/** Zeros that fill the last block of so many bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}
