import { isDeepStrictEqual } from 'node:util';
import type { EntryType } from '../../fs/index.js';
import type { Entry, ExtendedAttribute } from '../entry.js';
import { hasSameContent } from '../restore/same-content.js';

/** What of an entry may differ. `content`: the bytes of a file; links and devices have their own words. */
export type Aspect =
  | 'type'
  | 'content'
  | 'linkTarget'
  | 'device'
  | 'mode'
  | 'owner'
  | 'group'
  | 'flags'
  | 'xattrs'
  | 'mtime'
  | 'birthTime';

export type ChangeKind = 'added' | 'removed' | 'content' | 'type' | 'metadata' | 'moved';

/** How one path differs between two trees. */
export interface Change {
  readonly kind: ChangeKind;
  /** Raw, relative to what is compared, '' for that itself; of what was removed in the older one, else in the newer one. */
  readonly path: string;
  /** Where what was moved was before. */
  readonly from?: string;
  readonly type: EntryType;
  /** Where the type differs. */
  readonly typeBefore?: EntryType;
  /** What differs, in a fixed order; nothing of what is on one side only. */
  readonly aspects: readonly Aspect[];
  /** Bytes, of files. */
  readonly sizeBefore?: number;
  readonly sizeAfter?: number;
}

/** The chunk id that a large attribute value would have. */
export type IdOfValue = (value: Uint8Array) => string;

/** What changes whatever is done to a file, and is news by itself only to those who ask for it. */
const TIMES: ReadonlySet<Aspect> = new Set(['mtime', 'birthTime']);

export function isTimesOnly({ aspects }: Change): boolean {
  return aspects.length > 0 && aspects.every((aspect) => TIMES.has(aspect));
}

/** What of two entries differs. Trees do not count: what differs below a folder is told by itself. */
export function differingAspects(
  before: Entry,
  after: Entry,
  idOf: IdOfValue,
  isSameContent?: boolean,
): Aspect[] {
  const isSameType = before.type === after.type;
  const isFile = isSameType && before.type === 'file';
  const aspects: readonly (readonly [Aspect, boolean])[] = [
    ['type', !isSameType],
    ['content', isFile && !(isSameContent ?? hasSameContent(before, after))],
    ['linkTarget', isSameType && before.linkTarget !== after.linkTarget],
    ['device', isSameType && !isDeepStrictEqual(before.device, after.device)],
    // Nobody sets the mode of a symlink.
    ['mode', before.mode !== after.mode && after.type !== 'symlink'],
    ['owner', before.uid !== after.uid || isOther(before.user, after.user)],
    ['group', before.gid !== after.gid || isOther(before.group, after.group)],
    ['flags', (before.flags ?? 0) !== (after.flags ?? 0)],
    ['xattrs', !hasSameXattrs(before.xattrs ?? [], after.xattrs ?? [], idOf)],
    ['mtime', !isSameTime(before.mtime, after.mtime)],
    ['birthTime', !isSameTime(before.birthTime, after.birthTime)],
  ];
  return aspects.filter(([, differs]) => differs).map(([aspect]) => aspect);
}

/** A number has a name on some machines and none on others. */
function isOther(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && after !== undefined && before !== after;
}

type Time = Entry['birthTime'];

function isSameTime(a: Time, b: Time): boolean {
  return a?.seconds === b?.seconds && a?.nanoseconds === b?.nanoseconds;
}

function hasSameXattrs(
  before: readonly ExtendedAttribute[],
  after: readonly ExtendedAttribute[],
  idOf: IdOfValue,
): boolean {
  if (before.length !== after.length) return false;
  const values = new Map(before.map(({ name, value }) => [name, value]));
  return after.every(({ name, value }) => {
    const old = values.get(name);
    return old !== undefined && isSameValue(old, value, idOf);
  });
}

type Value = ExtendedAttribute['value'];

function isSameValue(a: Value, b: Value, idOf: IdOfValue): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  const [one, other] = [a, b].map((value) => (value instanceof Uint8Array ? idOf(value) : value.id));
  return one === other;
}

/** The change that two entries of one path make; undefined when nothing of them differs. At least one is given. */
export function changeOf(
  path: string,
  before: Entry | undefined,
  after: Entry | undefined,
  idOf: IdOfValue,
  isSameContent?: boolean,
): Change | undefined {
  const there = after ?? before;
  if (there === undefined) return undefined;
  const sizes = {
    ...(before?.size === undefined ? {} : { sizeBefore: before.size }),
    ...(after?.size === undefined ? {} : { sizeAfter: after.size }),
  };
  const common = { path, type: there.type, ...sizes };
  if (before === undefined) return { kind: 'added', ...common, aspects: [] };
  if (after === undefined) return { kind: 'removed', ...common, aspects: [] };
  const aspects = differingAspects(before, after, idOf, isSameContent);
  const first = aspects[0];
  if (first === undefined) return undefined;
  if (first === 'type') return { kind: 'type', ...common, typeBefore: before.type, aspects };
  const isContent = first === 'content' || first === 'linkTarget' || first === 'device';
  return { kind: isContent ? 'content' : 'metadata', ...common, aspects };
}
