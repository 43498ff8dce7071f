import { CbrError, messageOf } from '../../core/index.js';
import { agree, type DiscConfig, encryptionInWords, isEncrypted } from './disc-configs.js';
import type { DiscFiles } from './disc-files.js';
import { discInWords } from './disc-in-words.js';
import { type Candidate, candidatesAt, noDiscsAt } from './find-discs.js';
import type { KnownDiscs } from './known-discs.js';
import { type OpenedDisc, openDisc } from './open-disc.js';

/** What is to be said of one disc or image; the others work. */
export interface DiscProblem {
  /** `warning`: something on it is lost, `note`: nothing is. */
  readonly severity: 'warning' | 'note';
  /** A sentence that names the place. */
  readonly reason: string;
  readonly hint?: string;
}

export type ReportDisc = (problem: DiscProblem) => void;

/** The place where discs are: what is there now. */
export class DiscPlace {
  private opened: OpenedDisc[] = [];
  private first: OpenedDisc | undefined;
  private readonly configs = new Map<string, DiscConfig>();
  private isOpen = false;
  private isDisc = false;
  private readonly reported = new Set<string>();

  constructor(
    private readonly place: string,
    private readonly known: KnownDiscs,
    private readonly report: ReportDisc,
  ) {}

  /** Whether it is a disc itself, so that another one takes its place. */
  get isSingle(): boolean {
    return this.isDisc;
  }

  get hasDrive(): boolean {
    return this.opened.some(({ files }) => files.isDrive);
  }

  /** What is at hand, in words. */
  get contents(): string {
    const names = this.opened.map(({ label }) => discInWords(label));
    return names.length === 0
      ? `no disc of this repository is in ${this.place}`
      : `${this.place} has ${names.join(', ')}`;
  }

  /**
   * Looks for the first time. Rejects when there is no disc that can be used, with the reason of the first one; with `ambiguous` when
   * there are discs of several repositories.
   */
  async open(): Promise<void> {
    const failures = await this.look(await candidatesAt(this.place));
    if (this.opened.length === 0) throw failures[0] ?? noDiscsAt(this.place);
    this.isOpen = true;
    for (const error of failures) this.sayFailure(error);
    const absent = this.known.all().filter(({ age, files }) => age === 0 && files.length === 0);
    if (absent.length > 0) this.say('note', `Not at hand: ${absent.map(discInWords).join(', ')}`);
  }

  /** Looks again: what is still there stays open. What cannot be used is reported. */
  async lookAgain(): Promise<void> {
    const candidates = await candidatesAt(this.place).catch(() => []);
    for (const error of await this.look(candidates)) this.sayFailure(error);
  }

  private async look(candidates: readonly Candidate[]): Promise<readonly unknown[]> {
    if (candidates.length > 0) this.isDisc = candidates[0]!.path === this.place;
    const before = this.opened;
    const failures: unknown[] = [];
    const now: OpenedDisc[] = [];
    for (const candidate of candidates) {
      const kept = before.find(({ files }) => files.place === candidate.path);
      try {
        now.push(kept !== undefined && (await kept.files.isStill()) ? kept : await openDisc(candidate));
      } catch (error) {
        failures.push(error);
      }
    }
    const left = before.filter((each) => !now.includes(each));
    this.opened = await this.ofOneRepository(now);
    this.known.nowPresent(this.opened);
    for (const { files } of left) await files.close();
    for (const each of this.opened) this.reportFaults(each);
    return failures;
  }

  /** The first look decides which repository it is. A disc that is encrypted counts before one that is not: only a key holder makes one. */
  private async ofOneRepository(opened: readonly OpenedDisc[]): Promise<OpenedDisc[]> {
    this.first ??= opened.find(({ configs }) => isEncrypted(configs)) ?? opened[0];
    const { first } = this;
    if (first === undefined) return [];
    this.isOfOne(first);
    const mine: OpenedDisc[] = [];
    const others: OpenedDisc[] = [];
    for (const each of opened) (this.isOfOne(each) ? mine : others).push(each);
    const strange = others.find((each) => !this.isOpen && !isForged(each, first));
    for (const { files } of strange === undefined ? others : opened) await files.close();
    if (strange !== undefined) throw ofSeveral(this.place, first, strange);
    for (const each of others) this.sayStrange(each, first);
    return mine;
  }

  private sayStrange({ files, label }: OpenedDisc, first: OpenedDisc): void {
    const what = `${files.place} is ${discInWords(label)}`;
    if (label.repository !== first.label.repository) {
      this.say('note', `${what} of another repository, ${label.repository}`);
      return;
    }
    const why = 'by its label, but its config is not that of the other discs';
    this.say('warning', `${what} ${why}: it is not used`, 'Somebody may have made it up. Take it away.');
  }

  /** By its label, which anybody can write, and by its configs. Those of all discs that were seen count. */
  private isOfOne({ label, configs }: OpenedDisc): boolean {
    if (label.repository !== this.first?.label.repository || !agree(configs, this.configs)) return false;
    for (const [name, config] of configs) this.configs.set(name, config);
    return true;
  }

  private reportFaults({ files, fault, label }: OpenedDisc): void {
    if (fault !== undefined) this.say('warning', `${files.place} ${fault}.`);
    const same = this.opened.find((each) => each.label.disc === label.disc);
    if (same === undefined || same.files === files) return;
    const copies = [files.place, same.files.place];
    if (label.created === same.label.created) {
      this.say('note', `${copies.join(' and ')} are the same: ${discInWords(label)}`);
      return;
    }
    const [newer, older] = label.created > same.label.created ? copies : copies.toReversed();
    this.say('note', `${older} is an older state of ${newer}, which has more on it: ${discInWords(label)}`);
  }

  /** So that they can be taken out. */
  async closeDrives(): Promise<void> {
    const drives = this.opened.filter(({ files }) => files.isDrive);
    this.opened = this.opened.filter(({ files }) => !files.isDrive);
    this.known.nowPresent(this.opened);
    for (const { files } of drives) await files.close();
  }

  async close(): Promise<void> {
    const all: DiscFiles[] = this.opened.map(({ files }) => files);
    this.opened = [];
    for (const files of all) await files.close();
  }

  private sayFailure(error: unknown): void {
    const isStrange = error instanceof CbrError && error.code === 'not-a-repository';
    const hint = error instanceof CbrError ? error.hint : undefined;
    this.say(isStrange ? 'note' : 'warning', messageOf(error), hint);
  }

  /** Each thing once. */
  private say(severity: DiscProblem['severity'], reason: string, hint?: string): void {
    if (this.reported.has(reason)) return;
    this.reported.add(reason);
    this.report({ severity, reason, ...(hint === undefined ? {} : { hint }) });
  }
}

/** What has no encryption, though another disc of the same repository has: anybody can make that. */
function isForged({ label, configs }: OpenedDisc, first: OpenedDisc): boolean {
  return label.repository === first.label.repository && isEncrypted(first.configs) && !isEncrypted(configs);
}

function ofSeveral(place: string, first: OpenedDisc, other: OpenedDisc): CbrError {
  if (first.label.repository !== other.label.repository) {
    const described = [first, other].map(({ files, label }) => `${files.place} of ${label.repository}`);
    return new CbrError(
      'ambiguous',
      `${place} has discs of several repositories: ${described.join(', and ')}`,
      {
        hint: 'Keep those of each repository in a folder of their own.',
      },
    );
  }
  const described = [first, other].map(({ files, configs }) => files.place + encryptionInWords(configs));
  return new CbrError(
    'ambiguous',
    `${place} has discs that say they are of one repository, and have different configs: ${described.join(', and ')}`,
    { hint: 'Somebody has made up one of them. Keep those that you trust in a folder of their own.' },
  );
}
