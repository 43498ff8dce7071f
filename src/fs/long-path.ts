import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { once } from './once.js';
import { type RawPath, toNodePath } from './raw-path.js';

/** Opens a place in the file system without opening the file there (open(2)); node:fs does not name it. */
export const O_PATH = 0o10000000;

/** The most bytes the kernel takes in one path: PATH_MAX is 4096 with the final zero. */
export const DIRECT_BYTES = 4095;

/** Whether open folders can be reached by path, as `/proc/self/fd/<n>/<name>`: the anchors of this folder need it. */
export const hasDescriptorPaths: () => boolean = once(
  () => process.platform === 'linux' && existsSync('/proc/self/fd'),
);

export function descriptorPath(fd: number): RawPath {
  return `/proc/self/fd/${fd}` as RawPath;
}

/**
 * Calls `use` with a path to the same place that the kernel accepts, also with `room` more bytes appended. Almost always
 * that is `path` itself; a longer one is walked in stages, each anchored at an open folder, valid until `use` returns.
 * Errors of opening the stages are those of node:fs.
 */
export function withShortPath<T>(path: RawPath, use: (short: RawPath) => T, room = 0): T {
  if (path.length + room <= DIRECT_BYTES || !hasDescriptorPaths()) return use(path);
  let anchor: number | undefined;
  let short: RawPath = path;
  try {
    while (short.length + room > DIRECT_BYTES) {
      const cut = short.lastIndexOf('/', DIRECT_BYTES);
      // A cut within the anchor itself: a single name is too long, and the kernel shall say so.
      if (anchor !== undefined && cut <= descriptorPath(anchor).length) break;
      const flags = O_PATH | constants.O_DIRECTORY;
      const next = openSync(toNodePath(short.slice(0, cut) || '/'), flags);
      if (anchor !== undefined) closeSync(anchor);
      anchor = next;
      short = `${descriptorPath(next)}${short.slice(cut)}` as RawPath;
    }
    return use(short);
  } finally {
    if (anchor !== undefined) closeSync(anchor);
  }
}
