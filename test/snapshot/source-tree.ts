import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { randomContent } from './random-content.js';

/** A tree of files as a plain value, and the building of it. Names and link targets are raw bytes as latin1 text. */

export interface Metadata {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Nanoseconds since 1970. */
  readonly mtime?: bigint;
  /** Names with their name space (`user.comment`), and the content of that seed. */
  readonly xattrs?: readonly { readonly name: string; readonly seed: number; readonly bytes: number }[];
  /** Entries as setfacl takes them. */
  readonly acl?: string;
  /** Letters as chattr takes them. */
  readonly flags?: string;
}

/** Content of that seed, or a hole. */
export type Part = { readonly seed: number; readonly bytes: number } | { readonly hole: number };

export type Node = { readonly name: string; readonly metadata: Metadata } & (
  | { readonly type: 'folder'; readonly children: readonly Node[] }
  /** `links`: further names, as paths relative to the root, in folders that exist. */
  | { readonly type: 'file'; readonly parts: readonly Part[]; readonly links?: readonly string[] }
  | { readonly type: 'symlink'; readonly to: string; readonly links?: readonly string[] }
  | { readonly type: 'fifo' | 'socket' }
  | { readonly type: 'device'; readonly kind: 'b' | 'c'; readonly major: number; readonly minor: number }
);

/** Raw bytes of a path that may be longer than the kernel takes in one go, as long as each name is short. */
export const raw = (path: string): Buffer => Buffer.from(path, 'latin1');

const bytesOfParts = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + ('hole' in part ? part.hole : part.bytes), 0);

/** Builds the entries in `root`, an existing folder, and then gives `root` itself its metadata. */
export async function buildTree(
  root: string,
  children: readonly Node[],
  metadata: Metadata = {},
): Promise<void> {
  const tree: Node = { type: 'folder', name: '.', children, metadata };
  const script: string[] = [];
  const late: string[] = [];
  const links: [from: string, to: string][] = [];
  await makeEntries(root, '.', children, links);
  for (const [from, to] of links) linkSync(raw(`${root}/${from}`), raw(`${root}/${to}`));
  dress(tree, '.', script, late);
  runScript(root, [...script, ...late]);
}

async function makeEntries(
  root: string,
  folder: string,
  children: readonly Node[],
  links: [string, string][],
): Promise<void> {
  for (const node of children) {
    const relative = `${folder}/${node.name}`;
    const path = raw(`${root}/${relative}`);
    if (node.type === 'folder') {
      mkdirSync(path);
      await makeEntries(root, relative, node.children, links);
    } else if (node.type === 'file') writeParts(path, node.parts);
    else if (node.type === 'symlink') symlinkSync(raw(node.to), path);
    else if (node.type === 'socket') await makeSocket(root, relative);
    if ('links' in node) for (const to of node.links ?? []) links.push([relative, to]);
  }
}

export function writeParts(path: string | Buffer, parts: readonly Part[]): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(fd, bytesOfParts(parts));
    let at = 0;
    for (const part of parts) {
      if ('hole' in part) at += part.hole;
      else {
        writeSync(fd, randomContent(part.seed, part.bytes), 0, part.bytes, at);
        at += part.bytes;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** A socket's address is at most 107 bytes: it is reached through its open folder. */
async function makeSocket(root: string, relative: string): Promise<void> {
  const cut = relative.lastIndexOf('/');
  const fd = openSync(raw(`${root}/${relative.slice(0, cut)}`), constants.O_RDONLY | constants.O_DIRECTORY);
  const server = createServer();
  try {
    const address = `/proc/self/fd/${fd}/socket-being-made`;
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject).listen(address, resolve);
    });
    // Under its own name it outlives the server, which removes the name it knows.
    linkSync(address, raw(`/proc/self/fd/${fd}/${relative.slice(cut + 1)}`));
    await new Promise((resolve) => server.close(resolve));
  } finally {
    closeSync(fd);
  }
}

/** Lines of a script that gives a node and all below it their metadata, from the leaves up; flags at the very end. */
function dress(node: Node, path: string, script: string[], late: string[]): void {
  if (node.type === 'folder') {
    for (const child of node.children) dress(child, `${path}/${child.name}`, script, late);
  }
  const { mode, uid, gid, mtime, xattrs = [], acl, flags } = node.metadata;
  const at = quoted(path);
  if (node.type === 'fifo') script.push(`mkfifo ${at}`);
  if (node.type === 'device') script.push(`mknod ${at} ${node.kind} ${node.major} ${node.minor}`);
  if (uid !== undefined) script.push(`chown -h ${uid} ${at}`);
  if (gid !== undefined) script.push(`chgrp -h ${gid} ${at}`);
  for (const { name, seed, bytes } of xattrs) {
    const hex = bytes === 0 ? '""' : `0x${randomContent(seed, bytes).toString('hex')}`;
    script.push(`setfattr -h -n ${quoted(name)} -v ${hex} ${at}`);
  }
  if (mode !== undefined && node.type !== 'symlink')
    script.push(`chmod ${mode.toString(8).padStart(4, '0')} ${at}`);
  if (acl !== undefined) script.push(`setfacl -m ${quoted(acl)} ${at}`);
  if (mtime !== undefined) script.push(`touch -h -d @${secondsText(mtime)} ${at}`);
  if (flags !== undefined) late.push(`chattr +${flags} ${at}`);
}

/** As touch reads it; its fraction counts away from zero. */
export function secondsText(nanoseconds: bigint): string {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const text = `${magnitude / 1_000_000_000n}.${(magnitude % 1_000_000_000n).toString().padStart(9, '0')}`;
  return nanoseconds < 0n ? `-${text}` : text;
}

/** A word for the shell; raw bytes stay what they are. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Runs lines of shell in a folder; any that fails fails all. */
export function runScript(folder: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const input = raw(`set -e\n${lines.join('\n')}\n`);
  execFileSync('/bin/sh', [], {
    cwd: folder,
    input,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
}
