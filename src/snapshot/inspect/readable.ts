import { type ChunkId, chunkIdHex, fromLatin1 } from '../../core/index.js';
import type { ChunkReference, ContentItem, Entry } from '../entry.js';
import { type AboutSnapshot, decodeAbout } from '../snapshot-record.js';

/** What is stored, in a form that people can read: bytes stay bytes, raw names are marked, ids are hexadecimal. */

/** A name, path or link target: raw bytes as latin1 text. */
export class RawText {
  constructor(readonly raw: string) {}
}

export type Readable = Readonly<Record<string, unknown>>;

/** An outcome record with what a snapshot says of itself decoded. */
export function readableOutcome(outcome: Readable, object: string): Readable {
  const { about, ...rest } = outcome;
  return about instanceof Uint8Array
    ? { ...rest, about: readableAbout(decodeAbout(about, object)) }
    : outcome;
}

function readableAbout(about: AboutSnapshot): Readable {
  const { paths, errors } = about;
  return {
    ...about,
    paths: paths.map((path) => new RawText(path)),
    errors: errors.map(({ path, reason }) => ({ path: new RawText(path), reason })),
  };
}

/** The record of a forgotten snapshot, with what it was. `outcome`: its decoded outcome record. */
export function readableForgotten(forgotten: Readable, outcome: Readable, object: string): Readable {
  return { ...forgotten, outcome: readableOutcome(outcome, object) };
}

/** Stored policies: the groups of anchors hold paths. */
export function readablePolicies(policies: Readable): Readable {
  const anchors = policies.anchors as readonly { readonly group: readonly string[]; readonly date: string }[];
  const groups = anchors.map(({ group, date }) => ({ group: group.map((part) => new RawText(part)), date }));
  return { ...policies, anchors: groups };
}

const idText = (id: ChunkId): string => chunkIdHex(id);

export function readableReference({ id, length }: ChunkReference): Readable {
  return { id: idText(id), length };
}

function readableItem(item: ContentItem): Readable {
  return item.id === undefined ? { hole: item.hole } : { id: idText(item.id), length: item.length };
}

/** An entry of a tree, all that is stored of it. */
export function readableEntry(entry: Entry): Readable {
  const { name, xattrs, content, linkGroup, linkTarget, tree, ...rest } = entry;
  return {
    name: new RawText(name),
    ...rest,
    xattrs: xattrs?.map((xattr) => ({
      name: new RawText(xattr.name),
      value: xattr.value instanceof Uint8Array ? xattr.value : readableReference(xattr.value),
    })),
    content: content?.kind === 'items' ? content.items.map(readableItem) : undefined,
    contentList: content?.kind === 'list' ? readableReference(content.root) : undefined,
    linkGroup: linkGroup === undefined ? undefined : fromLatin1(linkGroup),
    linkTarget: linkTarget === undefined ? undefined : new RawText(linkTarget),
    tree: tree === undefined ? undefined : readableReference(tree),
  };
}
