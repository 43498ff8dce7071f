import type { Probed, ProbeResult, Verdict } from './probe.js';
import type { StoreFacts } from './store-facts.js';

/** One thing that was tried or asked, and what it means for the user. */
export interface ProbeFinding {
  readonly thing: Probed | StoreThing;
  readonly state: Verdict;
  /** refused: no repository can be kept there. warning: something is to be known. note: fine, or nothing to worry about. */
  readonly weight: 'refused' | 'warning' | 'note';
  /** A sentence. */
  readonly means: string;
  /** What can be done; undefined where nothing needs to be. */
  readonly hint?: string;
}

type StoreThing = 'checksums' | 'versioning' | 'object-lock' | 'clock';

/** Stores refuse requests whose clock is off by 15 minutes; before that nothing fails. */
const CLOCK_SECONDS = 300;

const FINE: Readonly<Record<Probed, string>> = {
  'create-only': 'Writes a name once: a second write of it is refused, and of two at a time one wins.',
  'read-after-write': 'Reads what was just written.',
  'list-after-write': 'Lists what was just written.',
  'ranged-reads': 'Reads parts of an object.',
  sizes: 'Tells the size of an object.',
  removal: 'Objects can be removed.',
};

interface Lack {
  readonly weight: ProbeFinding['weight'];
  readonly means: string;
  readonly hint: string;
}

const OTHER_STORE =
  'Choose another store, or another way to it: a proxy or gateway in between may be the reason.';

const LACKING: Readonly<Record<Probed, Lack>> = {
  'create-only': {
    weight: 'warning',
    means:
      'A second write of a name silently replaces the first. So a waiting period is kept: a prune marks what is to go, and a later one removes it.',
    hint: 'Snapshots, restores and forget work as ever. Keep the clocks of all machines right. A newer version of the store may be able to do it; then run: cbr doctor',
  },
  'read-after-write': {
    weight: 'refused',
    means: 'What was just written is not read, or reads differently.',
    hint: OTHER_STORE,
  },
  'list-after-write': {
    weight: 'refused',
    means: 'What was just written is not listed: machines would not see each other.',
    hint: OTHER_STORE,
  },
  'ranged-reads': {
    weight: 'refused',
    means: 'Parts of an object cannot be read: every restore needs them.',
    hint: OTHER_STORE,
  },
  sizes: {
    weight: 'refused',
    means: 'The size of an object is told wrongly or not at all.',
    hint: OTHER_STORE,
  },
  removal: {
    weight: 'warning',
    means: 'This key may not remove objects: it can take snapshots and restore, but not forget or prune.',
    hint: 'If that is meant, nothing is to be done: prune with another key. Otherwise give it the right to delete.',
  },
};

/** What a probe found, thing by thing, in plain words. Pure. */
export function probeFindings(result: ProbeResult): ProbeFinding[] {
  const tried = Object.entries(result.verdicts) as [Probed, Verdict][];
  return [
    ...tried.map(([thing, state]) => triedFinding(thing, state, result.reasons[thing])),
    ...(result.facts === undefined ? [] : factFindings(result.facts)),
  ];
}

function triedFinding(thing: Probed, state: Verdict, reason: string | undefined): ProbeFinding {
  if (state === 'fine') return { thing, state, weight: 'note', means: FINE[thing] };
  const because = reason === undefined ? '' : ` (${reason})`;
  if (state === 'missing') {
    const { weight, means, hint } = LACKING[thing];
    return { thing, state, weight, means: `${means}${because}`, hint };
  }
  const isNeeded = LACKING[thing].weight === 'refused';
  return {
    thing,
    state,
    weight: isNeeded ? 'refused' : 'warning',
    means: `It could not be tried${because}.`,
    hint: 'Give this key the right to list, read and write, and try again: cbr doctor',
  };
}

function factFindings({ checksum, versioning, objectLock, clockSkewSeconds }: StoreFacts): ProbeFinding[] {
  const found: ProbeFinding[] = [];
  const add = (
    thing: StoreThing,
    state: Verdict,
    weight: ProbeFinding['weight'],
    means: string,
    hint?: string,
  ): void => {
    found.push({ thing, state, weight, means, ...(hint === undefined ? {} : { hint }) });
  };
  if (checksum === 'none') {
    const means = 'The store does not verify what it receives: damage on the way is found when it is read.';
    add('checksums', 'missing', 'warning', means, 'Run now and then: cbr check --read-data');
  } else if (checksum === 'unknown') {
    add('checksums', 'unknown', 'note', 'It is not known whether the store verifies what it receives.');
  } else {
    const name = checksum === 'sha256' ? 'SHA-256' : 'MD5';
    add('checksums', 'fine', 'note', `The store verifies what it receives by its ${name}.`);
  }
  if (versioning === 'on' || versioning === 'suspended') {
    const means =
      versioning === 'on'
        ? 'Versioning is on: what is removed stays as an older version, and is paid for.'
        : 'Versioning is suspended: older versions from before stay, and are paid for.';
    const hint = 'Let a lifecycle rule of the bucket end older versions, after 30 days for example.';
    add('versioning', 'fine', versioning === 'on' ? 'warning' : 'note', means, hint);
  } else if (versioning === 'off') add('versioning', 'fine', 'note', 'Versioning is off.');
  else add('versioning', 'unknown', 'note', 'The store does not tell whether versioning is on.');
  if (objectLock.state === 'on') {
    const { mode, days } = objectLock;
    const means =
      mode === undefined
        ? 'Objects can be locked, and are not by default.'
        : `New objects are locked${days === undefined ? '' : ` for ${days} ${days === 1 ? 'day' : 'days'}`} (${mode}): until then what a prune removes stays, and is paid for.`;
    add('object-lock', 'fine', mode === undefined ? 'note' : 'warning', means);
  } else if (objectLock.state === 'off') add('object-lock', 'fine', 'note', 'Objects are not locked.');
  else add('object-lock', 'unknown', 'note', 'The store does not tell whether objects are locked.');
  if (clockSkewSeconds === undefined) add('clock', 'unknown', 'note', 'The store tells no time.');
  else {
    const off = Math.round(Math.abs(clockSkewSeconds));
    if (off <= CLOCK_SECONDS) add('clock', 'fine', 'note', `The clocks agree within ${Math.max(1, off)} s.`);
    else {
      const which = clockSkewSeconds > 0 ? 'behind' : 'ahead of';
      const means = `The clock of this machine is ${off} s ${which} that of the store.`;
      add(
        'clock',
        'missing',
        'warning',
        means,
        'Set it by a time server: at 15 minutes stores refuse every request.',
      );
    }
  }
  return found;
}
