import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, linkSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from '../../core/index.js';
import { readJsonObject } from './durable-file.js';

/**
 * The right to use a cache folder, held by one process at a time. Every process writes a file of its own, under a name
 * that never recurs, and only then looks at the others: whoever sees a claim that may be alive steps back. So two
 * processes may both step back, but never both hold it, and the file of a dead process can be removed by anybody
 * without a race. A claim that has been checked is called `held-...`; against one that has not, trying again is worth it.
 */
export interface Claim {
  /** What is in the folder may still be written to by its former holder, who could not be examined. */
  readonly contested: boolean;
  /** False when someone took this process for dead and broke its claim. */
  stillHeld(): boolean;
  release(): void;
}

export type ClaimResult =
  | { readonly kind: 'held'; readonly claim: Claim }
  /** `holder` is undefined while others are still deciding. */
  | { readonly kind: 'busy'; readonly holder: ProcessIdentity | undefined; readonly file: string };

const CLAIM_FILE = /^(?:claim|held)-[0-9a-f]{16}$/;
const ATTEMPTS = 6;
/** What cannot be examined (another machine or container) is taken for dead after a day, and what it had is not used. */
const UNKNOWN_FOR_MS = 24 * 3600 * 1000;

interface Contender {
  readonly file: string;
  readonly identity: ProcessIdentity | undefined;
}

function identityIn(path: string): ProcessIdentity | undefined {
  const value = readJsonObject(path);
  return typeof value?.host === 'string' && typeof value.pid === 'number'
    ? (value as unknown as ProcessIdentity)
    : undefined;
}

/** The other claims that may be alive, dead ones being removed; and whether one was removed without proof. */
function contenders(folder: string, own: string, identity: ProcessIdentity, now: number) {
  const found: Contender[] = [];
  let contested = false;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (!CLAIM_FILE.test(name) || name.endsWith(own)) continue;
    const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (modified === undefined) continue;
    const other = identityIn(file);
    // Claims appear whole, so one that cannot be read was cut short by a power failure.
    const verdict = other === undefined ? 'dead' : isAlive(other, identity);
    if (verdict === 'alive' || (verdict === 'unknown' && now - modified < UNKNOWN_FOR_MS)) {
      found.push({ file, identity: other });
      continue;
    }
    contested ||= verdict === 'unknown' || other === undefined;
    rmSync(file, { force: true });
  }
  return { found, contested };
}

/**
 * Claims the folder for this process. It neither fails nor waits (some milliseconds apart) when another process has
 * it. `now` is the time in milliseconds since the epoch. Rejects only when the folder cannot be read or written.
 */
export async function claimFolder(
  folder: string,
  identity: ProcessIdentity,
  now: number,
): Promise<ClaimResult> {
  let contested = false;
  for (let attempt = 1; ; attempt++) {
    const own = randomBytes(8).toString('hex');
    const [staged, claim, held] = ['new', 'claim', 'held'].map((prefix) => join(folder, `${prefix}-${own}`));
    writeFileSync(staged!, JSON.stringify(identity), { flag: 'wx' });
    renameSync(staged!, claim!);
    let rivals: readonly Contender[];
    try {
      const others = contenders(folder, own, identity, now);
      contested ||= others.contested;
      rivals = others.found;
      if (rivals.length === 0) {
        linkSync(claim!, held!); // not a rename: a listing must see one name or the other
        rmSync(claim!);
        return {
          kind: 'held',
          claim: {
            contested,
            stillHeld: () => existsSync(held!),
            release: () => rmSync(held!, { force: true }),
          },
        };
      }
    } catch (error) {
      rmSync(claim!, { force: true });
      rmSync(held!, { force: true });
      throw error;
    }
    rmSync(claim!, { force: true });
    const holder = rivals.find(({ file }) => /held-[0-9a-f]+$/.test(file));
    if (holder !== undefined || attempt === ATTEMPTS) {
      const { identity: other, file } = holder ?? rivals[0]!;
      return { kind: 'busy', holder: holder && other, file };
    }
    await setTimeout(randomInt(1, 5 * attempt));
  }
}

/** Whether a process that may be alive holds the folder; for listings. */
export function isHeld(folder: string, identity: ProcessIdentity): boolean {
  return readdirSync(folder).some((name) => {
    if (!CLAIM_FILE.test(name)) return false;
    const other = identityIn(join(folder, name));
    return other !== undefined && isAlive(other, identity) !== 'dead';
  });
}
