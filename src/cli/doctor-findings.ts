import { statSync } from 'node:fs';
import type { ProbeFinding } from '../backends/index.js';
import type { CacheListing, LeftOver } from '../repo/index.js';
import { displayText } from './raw-names.js';
import { countOf, sizeText } from './sizes.js';

/** What `cbr doctor` has to say. */

export interface DoctorFinding {
  readonly about: 'store' | 'repository' | 'cache' | 'machine';
  /** A stable word. */
  readonly thing: string;
  readonly severity: 'error' | 'warning' | 'note';
  readonly state: 'fine' | 'missing' | 'unknown';
  readonly text: string;
  readonly hint?: string;
}

export function storeFinding({ thing, state, weight, means, hint }: ProbeFinding): DoctorFinding {
  const severity = weight === 'refused' ? 'error' : weight;
  return { about: 'store', thing, severity, state, text: means, ...(hint === undefined ? {} : { hint }) };
}

/** What was asked for and not done: none when nothing was asked for. `because` completes a sentence. */
export function unheardFinding(
  {
    waitingPeriod,
    endWaiting,
  }: { readonly waitingPeriod?: number | undefined; readonly endWaiting?: boolean },
  because: string,
  hint: string,
): DoctorFinding[] {
  const asked = [
    ...(waitingPeriod === undefined ? [] : ['--waiting-period']),
    ...(endWaiting === true ? ['--end-waiting'] : []),
  ];
  if (asked.length === 0) return [];
  const text = `${asked.join(' and ')} changed nothing: ${because}.`;
  return [{ about: 'repository', thing: 'waiting-period', severity: 'error', state: 'missing', text, hint }];
}

/** `isCleaned`: they were ended and removed. */
export function leftOverFindings({ dead, staged, probes }: LeftOver, isCleaned: boolean): DoctorFinding[] {
  const found: DoctorFinding[] = [];
  const add = (thing: string, count: number, none: string, some: string, hint: string): void => {
    if (count === 0) found.push({ about: 'repository', thing, severity: 'note', state: 'fine', text: none });
    else if (isCleaned)
      found.push({
        about: 'repository',
        thing,
        severity: 'note',
        state: 'fine',
        text: `${some} Cleared away.`,
      });
    else found.push({ about: 'repository', thing, severity: 'warning', state: 'missing', text: some, hint });
  };
  const ids = dead.map(({ id }) => id.slice(0, 8)).join(', ');
  const open = dead.filter(({ hasOutcome }) => !hasOutcome).length;
  add(
    'dead-sessions',
    dead.length,
    'No session of this machine was killed.',
    `${countOf(dead.length, 'session')} of this machine ${dead.length === 1 ? 'was' : 'were'} killed: ${ids}.`,
    open > 0
      ? 'The next snapshot ends them, and uses what they stored; so does: cbr doctor --clean'
      : 'They have ended, and only their objects are left: the next snapshot removes them, and so does: cbr doctor --clean',
  );
  add(
    'staged-files',
    staged.length,
    'No staged files are left over.',
    `${countOf(staged.length, 'staged file')} of killed processes ${staged.length === 1 ? 'is' : 'are'} left over.`,
    'The next prune removes them, and so does: cbr doctor --clean',
  );
  add(
    'probes',
    probes.length,
    'No probes are left over.',
    `${countOf(probes.length, 'object')} of probes ${probes.length === 1 ? 'is' : 'are'} left over.`,
    'The next prune removes them, and so does: cbr doctor --clean',
  );
  return found;
}

const STALE_MS = 90 * 24 * 3_600_000;

/** `current`: the location of the repository that is looked at. */
export function cacheFindings(
  root: string,
  caches: readonly CacheListing[],
  current: string | undefined,
  now: number,
): DoctorFinding[] {
  const found: DoctorFinding[] = [];
  const mode = statSync(root, { throwIfNoEntry: false })?.mode;
  if (mode !== undefined && (mode & 0o077) !== 0) {
    found.push({
      about: 'cache',
      thing: 'cache-privacy',
      severity: 'warning',
      state: 'missing',
      text: `Others on this machine can look into ${displayText(root)}, which tells names and sizes of files.`,
      hint: `chmod 700 ${displayText(root)}`,
    });
  } else {
    const text = mode === undefined ? 'There is no cache yet.' : 'Nobody else can look into the caches.';
    found.push({ about: 'cache', thing: 'cache-privacy', severity: 'note', state: 'fine', text });
  }
  const all = caches.reduce((sum, { size }) => sum + size, 0);
  const own = caches.filter(({ location }) => location === current).reduce((sum, { size }) => sum + size, 0);
  const sizes =
    current === undefined || own === 0 ? '' : `, of which that of this repository has ${sizeText(own)}`;
  const total = `${countOf(caches.length, 'cache')} of ${sizeText(all)}${sizes}.`;
  found.push({ about: 'cache', thing: 'cache-size', severity: 'note', state: 'fine', text: total });
  const stale = caches.filter(
    ({ location, lastUsed, inUse }) => location !== current && !inUse && now - lastUsed > STALE_MS,
  );
  if (stale.length > 0) {
    const bytes = sizeText(stale.reduce((sum, { size }) => sum + size, 0));
    found.push({
      about: 'cache',
      thing: 'stale-caches',
      severity: 'warning',
      state: 'missing',
      text: `${countOf(stale.length, 'cache')} of other repositories (${bytes}) ${stale.length === 1 ? 'was' : 'were'} not used for 90 days.`,
      hint: 'See them with "cbr cache list"; remove one with: cbr cache clear -r LOCATION',
    });
  }
  return found;
}
