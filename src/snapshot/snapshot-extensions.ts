import { fromLatin1, isSessionId, type SessionId, toHex, toLatin1 } from '../core/index.js';
import type { AboutSnapshot } from './snapshot-record.js';

/** What a snapshot says beyond the fields of its record, by name (docs/format.md, "Snapshot"). Earlier programs ignore it. */

const PARTIAL = 'partial';
const REWRITTEN_FROM = 'rewritten-from';
const LISTED_IN = 'listed-in';
const COPY_OF = 'copy-of';
const ID_BYTES = 16;

/** Bytes that the value of an extension holds. */
const VALUE_BYTES = 65_536;

/** As many as the value of an extension holds. */
export const MOST_REWRITTEN = 4096;

/** Whether the snapshot was stopped before it had taken in everything: what it lacks may have been there. */
export function isPartial(about: Pick<AboutSnapshot, 'extensions'>): boolean {
  return extensionOf(about, PARTIAL) !== undefined;
}

export function withPartial(about: AboutSnapshot): AboutSnapshot {
  return withExtension(about, PARTIAL, new Uint8Array());
}

export function withoutPartial(about: AboutSnapshot): AboutSnapshot {
  if (!isPartial(about)) return about;
  const { extensions = [], ...rest } = about;
  const others = extensions.filter(({ name }) => name !== PARTIAL);
  return others.length === 0 ? rest : { ...rest, extensions: others };
}

/** The snapshots that this one was made from by rewriting or merging, in the order in which they were named; none: it was taken. */
export function rewrittenFrom(about: Pick<AboutSnapshot, 'extensions'>): readonly SessionId[] {
  const value = extensionOf(about, REWRITTEN_FROM) ?? new Uint8Array();
  const ids = Array.from({ length: Math.floor(value.byteLength / ID_BYTES) }, (_, i) =>
    toHex(value.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)),
  );
  return ids.filter(isSessionId);
}

/** At most MOST_REWRITTEN ids. */
export function withRewrittenFrom(about: AboutSnapshot, ids: readonly SessionId[]): AboutSnapshot {
  return withExtension(about, REWRITTEN_FROM, Buffer.from(ids.join(''), 'hex'));
}

/** A snapshot of some repository. */
export interface SnapshotOrigin {
  /** The id of the repository: 32 hexadecimal digits. */
  readonly repository: string;
  readonly snapshot: SessionId;
}

const ORIGIN_BYTES = 2 * ID_BYTES;

/**
 * Of a copy: itself as it was copied (what was made from it since by rewriting has another id), the snapshot that it is a copy
 * of, and what that was a copy of. Of others nothing.
 */
export function copyOf(about: Pick<AboutSnapshot, 'extensions'>): readonly SnapshotOrigin[] {
  const value = extensionOf(about, COPY_OF) ?? new Uint8Array();
  const digits = toHex(value);
  const count = Math.floor(value.byteLength / ORIGIN_BYTES);
  return Array.from({ length: count }, (_, i) => {
    const at = 2 * ORIGIN_BYTES * i;
    const middle = at + 2 * ID_BYTES;
    return {
      repository: digits.slice(at, middle),
      snapshot: digits.slice(middle, middle + 2 * ID_BYTES) as SessionId,
    };
  });
}

/** Of more than fit, the last ones are left out. */
export function withCopyOf(about: AboutSnapshot, origins: readonly SnapshotOrigin[]): AboutSnapshot {
  const value = Buffer.from(origins.map(({ repository, snapshot }) => repository + snapshot).join(''), 'hex');
  return withExtension(about, COPY_OF, value.subarray(0, VALUE_BYTES));
}

/** Of its paths, the folders that stand for a long list: only some of what is in them was named, and nobody knows what. */
export function listedIn(about: Pick<AboutSnapshot, 'extensions'>): readonly string[] {
  const value = extensionOf(about, LISTED_IN);
  return value === undefined || value.byteLength === 0 ? [] : toLatin1(value).split('\0');
}

/** Of more than fit, the root stands for all. */
export function withListedIn(about: AboutSnapshot, folders: readonly string[]): AboutSnapshot {
  if (folders.length === 0) return about;
  const value = fromLatin1([...new Set(folders)].sort().join('\0'));
  return withExtension(about, LISTED_IN, value.byteLength > VALUE_BYTES ? fromLatin1('/') : value);
}

/** The value of an extension; undefined where the snapshot has none of that name. */
export function extensionOf(
  { extensions = [] }: Pick<AboutSnapshot, 'extensions'>,
  name: string,
): Uint8Array | undefined {
  return extensions.find((each) => each.name === name)?.value;
}

/** With that value in the place of the one it had; all others stay, known or not. */
export function withExtension(about: AboutSnapshot, name: string, value: Uint8Array): AboutSnapshot {
  const others = (about.extensions ?? []).filter((each) => each.name !== name);
  return { ...about, extensions: [...others, { name, value }] };
}
