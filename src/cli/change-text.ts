import { displayPath } from '../fs/index.js';
import { type Aspect, type Change, type ChangeKind, shownPath } from '../snapshot/index.js';
import { rawField } from './raw-names.js';
import { sizeText } from './sizes.js';

/** Changes as `cbr diff` shows them. */

/** Where the paths of both sides begin. */
export interface ChangeRoots {
  readonly before: string;
  readonly after: string;
}

const LETTERS: Readonly<Record<ChangeKind, string>> = {
  added: '+',
  removed: '-',
  content: 'M',
  type: 'T',
  metadata: 'U',
  moved: 'R',
};

/** For help texts. */
export const LETTERS_HELP = `
  +  added                M  content, link target or device number differs
  -  removed              U  only metadata differs (mode, owner, group, flags, attributes)
  R  moved, or renamed    T  of another type now`;

const WORDS: Readonly<Record<Aspect, string>> = {
  type: 'type',
  content: 'content',
  linkTarget: 'link target',
  device: 'device number',
  mode: 'mode',
  owner: 'owner',
  group: 'group',
  flags: 'flags',
  xattrs: 'attributes',
  mtime: 'time',
  birthTime: 'time of birth',
};

const TIMES: readonly Aspect[] = ['mtime', 'birthTime'];

export function changeLine(change: Change, roots: ChangeRoots, times: boolean): string {
  const { kind, from, type } = change;
  const end = type === 'directory' && change.path !== '' ? '/' : '';
  const path = `${displayPath(pathOf(change, roots))}${end}`;
  const shown = from === undefined ? path : `${displayPath(shownPath(roots.before, from))} -> ${path}`;
  const details = detailsOf(change, times);
  return `${LETTERS[kind]}  ${shown}${details.length === 0 ? '' : `  (${details.join(', ')})`}`;
}

function pathOf({ kind, path }: Change, { before, after }: ChangeRoots): string {
  return shownPath(kind === 'removed' ? before : after, path);
}

function detailsOf(change: Change, times: boolean): string[] {
  const { kind, type, typeBefore, aspects, sizeBefore, sizeAfter } = change;
  if (kind === 'type') return [`${typeBefore} -> ${type}`];
  const isSized = kind !== 'metadata' && type === 'file';
  const sizes = [sizeBefore, sizeAfter].filter((size) => size !== undefined).map(sizeText);
  const isTold = (aspect: Aspect): boolean => aspect !== 'content' && (times || !TIMES.includes(aspect));
  return [
    ...(isSized && sizes.length > 0 ? [[...new Set(sizes)].join(' -> ')] : []),
    ...aspects.filter(isTold).map((aspect) => WORDS[aspect]),
  ];
}

/** The item of docs/json.md. */
export function changeFields(change: Change, roots: ChangeRoots): Readonly<Record<string, unknown>> {
  const { kind, from, type, typeBefore, aspects, sizeBefore, sizeAfter } = change;
  return {
    change: kind,
    ...rawField('path', pathOf(change, roots)),
    ...(from === undefined ? {} : rawField('from', shownPath(roots.before, from))),
    kind: type,
    kindBefore: typeBefore,
    differs: aspects.length === 0 ? undefined : aspects,
    sizeBefore,
    size: sizeAfter,
  };
}
