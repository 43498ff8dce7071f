import { displayPath } from '../fs/index.js';
import type { Progress } from './progress.js';
import { countOf, sizeText } from './sizes.js';
import { shortenedFront, textWidth } from './text-width.js';
import { clockSpan } from './times.js';

const NARROWEST = 20;
/** A path cut shorter than this tells nothing. */
const SHORTEST_PATH = 12;
const GAP = '  ';

const PHASES: Readonly<Record<Progress['phase'], string>> = {
  scan: 'looking',
  snapshot: 'storing',
  restore: 'restoring',
  verify: 'verifying',
  dump: 'dumping',
  check: 'checking',
  prune: 'pruning',
  measure: 'measuring',
  copy: 'copying',
  index: 'indexing',
  scrub: 'verifying',
  mirror: 'copying',
  image: 'writing',
};

interface Part {
  readonly text: string;
  /** The higher, the sooner it is left out where there is no room. */
  readonly rank: number;
}

function bar(share: number, width: number): string {
  const full = Math.round(share * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}

/** Phases of which no files are counted, and those of which no bytes are either. */
const WITHOUT_FILES: readonly Progress['phase'][] = ['prune', 'measure', 'index', 'copy', 'image'];
const UNCOUNTED: readonly Progress['phase'][] = ['prune', 'measure', 'index'];

/** Phases that go through objects of the repository instead of files. */
const OF_OBJECTS: readonly Progress['phase'][] = ['scrub', 'mirror'];

function partsOf(progress: Progress, columns: number): Part[] {
  const { share, bytesPerSecond, secondsLeft, newBytes } = progress;
  const isCounted = !UNCOUNTED.includes(progress.phase);
  const parts: (Part | undefined)[] = [
    share === undefined
      ? { text: PHASES[progress.phase], rank: 1 }
      : { text: `${Math.floor(share * 100)}%`.padStart(4), rank: 0 },
    share === undefined ? undefined : { text: bar(share, columns < 100 ? 10 : 20), rank: 5 },
    WITHOUT_FILES.includes(progress.phase)
      ? undefined
      : { text: countOf(progress.files, OF_OBJECTS.includes(progress.phase) ? 'object' : 'file'), rank: 4 },
    isCounted ? { text: sizeText(progress.bytes), rank: 1 } : undefined,
    bytesPerSecond === undefined || !isCounted
      ? undefined
      : { text: `${sizeText(bytesPerSecond)}/s`, rank: 3 },
    secondsLeft === undefined ? undefined : { text: `${clockSpan(secondsLeft)} left`, rank: 2 },
    newBytes === undefined ? undefined : { text: `${sizeText(newBytes)} new`, rank: 6 },
  ];
  return parts.filter((part) => part !== undefined);
}

const joined = (parts: readonly Part[]): string => parts.map(({ text }) => text).join(GAP);

/**
 * One line that says how far it is, never wider than `columns` (at least 20 are assumed). What matters least is left out
 * first; the path gets the room that is left.
 */
export function progressLine(progress: Progress, columns: number): string {
  const width = Math.max(NARROWEST, columns);
  let parts = partsOf(progress, width);
  while (textWidth(joined(parts)) > width && parts.length > 1) {
    const last = parts.reduce((a, b) => (b.rank > a.rank ? b : a));
    parts = parts.filter((part) => part !== last);
  }
  const line = joined(parts);
  const room = width - textWidth(line) - GAP.length;
  if (progress.current === undefined || room < SHORTEST_PATH) return line;
  return `${line}${GAP}${shortenedFront(displayPath(progress.current), room)}`;
}
