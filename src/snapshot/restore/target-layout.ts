import { displayPath } from '../../fs/index.js';
import type { Entry } from '../entry.js';
import { encodeEntry } from '../tree.js';
import type { TargetLayout } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { EntryStep, Step } from './selection.js';

/** The most numbers that are tried for one name; more files of one name are lost, and said to be. */
const MOST_NUMBERS = 1_000_000;
const NAME_BYTES = 255;

/**
 * The steps as they are below a target with another layout than the snapshot. Two entries never share a name there: with
 * `flatten` the later one gets a number, otherwise it is lost. Needs memory for each path.
 */
export async function* laidOut(
  batches: AsyncGenerator<readonly Step[]>,
  layout: TargetLayout,
  report: RestoreReport,
): AsyncGenerator<readonly Step[]> {
  const target = layout.flatten ? new FlatTarget(report) : new StrippedTarget(layout.stripComponents, report);
  for await (const steps of batches) yield steps.flatMap((step) => target.steps(step));
}

class FlatTarget {
  private readonly taken = new Set<string>();
  /** The next number to try for a name. */
  private readonly numbers = new Map<string, number>();

  constructor(private readonly report: RestoreReport) {}

  steps(step: Step): readonly Step[] {
    if (step.kind === 'lost') return [step];
    if (step.kind !== 'entry') return [];
    const { name } = step.entry;
    const free = this.freeName(name);
    if (free === undefined)
      return [{ kind: 'lost', path: step.path, reason: 'too many files have its name' }];
    this.taken.add(free);
    if (free === name) return [{ ...step, path: name }];
    this.report.note(step.path, `another file has its name: it is restored as ${displayPath(free)}`);
    return [renamed(step, free)];
  }

  private freeName(name: string): string | undefined {
    if (!this.taken.has(name)) return name;
    const [stem, extension] = splitName(name);
    for (let number = this.numbers.get(name) ?? 2; number < MOST_NUMBERS; number++) {
      const end = ` (${number})${extension}`;
      const numbered = `${stem.slice(0, NAME_BYTES - end.length)}${end}`;
      this.numbers.set(name, number + 1);
      if (!this.taken.has(numbered)) return numbered;
    }
    return undefined;
  }
}

/** The name before its extension, and that with its dot; what is too long for one is none. */
function splitName(name: string): readonly [string, string] {
  const dot = name.lastIndexOf('.');
  return dot <= 0 || name.length - dot > 16 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
}

class StrippedTarget {
  /** What each path of the target is, and where it comes from. */
  private readonly taken = new Map<string, { readonly isFolder: boolean; readonly from: string }>();
  /** For each folder on the way whether a step says that it was entered. */
  private readonly entered: boolean[] = [];
  /** Folders on the way below one whose name was taken. */
  private lostDepth = 0;

  constructor(
    private readonly components: number,
    private readonly report: RestoreReport,
  ) {}

  steps(step: Step): readonly Step[] {
    switch (step.kind) {
      case 'lost':
        return this.lostDepth > 0 ? [] : [step];
      case 'names':
        return [];
      case 'leave':
        if (this.lostDepth > 0) {
          this.lostDepth--;
          return [];
        }
        return this.entered.pop() === true ? [step] : [];
      case 'enter':
        return this.enter(step);
      case 'entry':
        return this.entry(step);
    }
  }

  private enter(step: Extract<Step, { kind: 'enter' }>): readonly Step[] {
    if (this.lostDepth > 0) {
      this.lostDepth++;
      return [];
    }
    const path = this.strip(step.path);
    if (path === undefined) {
      this.entered.push(false);
      return [];
    }
    const before = this.taken.get(path);
    if (before !== undefined && !before.isFolder) {
      this.lostDepth = 1;
      return [lostTo(step.path, before.from)];
    }
    if (before === undefined) this.taken.set(path, { isFolder: true, from: step.path });
    this.entered.push(true);
    return [{ ...step, path }];
  }

  private entry(step: EntryStep): readonly Step[] {
    if (this.lostDepth > 0) return [];
    const path = this.strip(step.path);
    if (path === undefined) {
      this.report.stripped++;
      return [];
    }
    const before = this.taken.get(path);
    if (before !== undefined) return [lostTo(step.path, before.from)];
    this.taken.set(path, { isFolder: false, from: step.path });
    return [{ ...step, path }];
  }

  private strip(path: string): string | undefined {
    const names = path.split('/');
    return names.length > this.components ? names.slice(this.components).join('/') : undefined;
  }
}

function lostTo(path: string, other: string): Step {
  return { kind: 'lost', path, reason: `${displayPath(other)} has its place in the target already` };
}

function renamed(step: EntryStep, name: string): EntryStep {
  const entry: Entry = { ...step.entry, name };
  return { kind: 'entry', entry, encoded: encodeEntry(entry), path: name };
}
