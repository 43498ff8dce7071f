import type { Traffic } from '../backends/index.js';
import { CbrError, messageOf } from '../core/index.js';
import type { ProgressEvent } from '../snapshot/index.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { LineWriter } from './line-writer.js';
import { MetadataCounts } from './metadata-counts.js';
import { errorText, type Problem, problemFields, problemLines } from './problem.js';
import { type Progress, ProgressMeter } from './progress.js';
import { ProgressBar } from './progress-bar.js';
import { rawField, terminalText } from './raw-names.js';
import { trafficFields, trafficText } from './traffic-text.js';

export interface OutputSettings {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress: boolean;
  /** Columns of the terminal that standard error is; undefined when it is none. */
  readonly columns: () => number | undefined;
  /** Columns of the terminal that standard output is; undefined when it is none. */
  readonly width?: () => number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** The library tells it about as often as anybody can read; this only guards against more. */
const PROGRESS_MS = 100;
const USUAL_COLUMNS = 80;
/** This many problems are named again at the end; more would only hide the summary. */
const MOST_REPEATED = 20;

/**
 * The one place that prints. Standard output carries results, or with `--json` one object per line; standard error carries
 * progress and problems for people.
 */
export class Output {
  /** Where results go. */
  private stdout: LineWriter;
  private readonly stderr: LineWriter;
  private readonly meter = new ProgressMeter();
  private readonly bar: ProgressBar | undefined;
  private readonly metadata = new MetadataCounts();
  private readonly repeated: Problem[] = [];
  private readonly started = performance.now();
  private counts = { error: 0, warning: 0, note: 0 };
  private lastProgress = Number.NEGATIVE_INFINITY;
  private questions = 0;
  private done: Fields = {};
  private traffic: Traffic | undefined;
  private targetTraffic: Traffic | undefined;

  constructor(private readonly settings: OutputSettings) {
    const clearBar = (): void => this.bar?.clear();
    this.stdout = new LineWriter(1, clearBar);
    this.stderr = new LineWriter(2, clearBar);
    const { columns, json, progress, quiet } = settings;
    if (columns() !== undefined && progress && !json && !quiet) {
      this.bar = new ProgressBar({
        write: (text) => this.stderr.write(text),
        columns: () => columns() ?? USUAL_COLUMNS,
      });
    }
  }

  /** From here on standard output carries something else: nothing is printed there any more. */
  leaveStandardOutput(): void {
    this.stdout.flush();
    this.stdout = this.stderr;
  }

  get isVerbose(): boolean {
    return this.settings.verbose;
  }

  /** Somebody, or a program, follows the progress. */
  get showsProgress(): boolean {
    return this.bar !== undefined || (this.settings.json && this.settings.progress);
  }

  /** Nobody reads what is printed: a listing may stop. */
  get isOver(): boolean {
    return this.stdout.failure !== undefined;
  }

  /** Columns that a line of the result may have; undefined: any number. */
  get width(): number | undefined {
    return this.settings.width?.();
  }

  get errorCount(): number {
    return this.counts.error;
  }

  /** A line of the result for people. */
  line(text = ''): void {
    if (!this.settings.json && !this.settings.quiet) this.stdout.line(terminalText(text));
  }

  /** One thing of a list, or one entry worked on: an object for programs, a line for people. */
  item(fields: Fields, text: () => string): void {
    if (this.settings.json) this.object({ type: 'item', ...fields });
    else if (!this.settings.quiet) this.stdout.line(terminalText(text()));
  }

  /** Something for people that is neither result nor problem; `-q` and `--json` silence it. */
  remark(text: string): void {
    if (!this.settings.json && !this.settings.quiet) this.stderr.line(terminalText(text));
  }

  problem(problem: Problem): void {
    this.counts[problem.severity]++;
    if (this.settings.json) {
      this.object(problemFields(problem));
      return;
    }
    if (this.settings.quiet && problem.severity === 'note') return;
    if (!this.settings.verbose && !this.metadata.shows(problem)) return;
    const [first, ...further] = problemLines(problem);
    this.stderr.line(terminalText(`cbr: ${problem.severity === 'note' ? 'note: ' : ''}${first}`));
    for (const line of further) this.stderr.line(terminalText(line));
    if (problem.severity !== 'note' && this.repeated.length <= MOST_REPEATED) this.repeated.push(problem);
  }

  progress(event: ProgressEvent): void {
    if (!this.showsProgress || this.questions > 0) return;
    const now = performance.now();
    if (now - this.lastProgress < PROGRESS_MS) return;
    this.lastProgress = now;
    const progress = this.meter.add(event, now / 1000);
    if (this.settings.json) this.object(progressFields(progress));
    else this.bar?.show(progress);
  }

  /** No progress is drawn over a question while somebody is to answer it. */
  async whileAsking<T>(ask: () => Promise<T>): Promise<T> {
    this.bar?.clear();
    this.questions++;
    try {
      return await ask();
    } finally {
      this.questions--;
    }
  }

  /** Says how many problems of metadata were counted only. */
  private sayCounted(): void {
    for (const line of this.metadata.takeLines()) this.stderr.line(`cbr: ${line}`);
  }

  /** Names the problems once more where they are few, so that the last lines say all that matters. */
  repeatProblems(): void {
    const { error, warning } = this.counts;
    if (error + warning === 0) return;
    this.sayCounted();
    this.line(`Problems: ${error + warning}${this.repeated.length > MOST_REPEATED ? ', see above' : ''}`);
    if (this.repeated.length > MOST_REPEATED) return;
    for (const problem of this.repeated) for (const line of problemLines(problem)) this.line(`  ${line}`);
  }

  /** What passes between this run and the repository, for its last word; the counts go on. */
  follow(traffic: Traffic): void {
    this.traffic = traffic;
  }

  /** As `follow`, for the repository that a copy goes to. */
  followTarget(traffic: Traffic): void {
    this.targetTraffic = traffic;
  }

  /** What is done already, for the summary of a run that an error stops later. */
  hasDone(fields: Fields): void {
    this.done = fields;
  }

  /** The last word of a run that an error stopped. */
  fail(command: string, exitCode: ExitCode, error: unknown): ExitCode {
    const { code, message, hint, snapshots } = errorText(error);
    if (!this.settings.json) {
      this.stderr.line(terminalText(`cbr: ${message}`));
      if (hint !== undefined) this.stderr.line(terminalText(sentence(hint)));
      const stack = error instanceof Error && !(error instanceof CbrError) ? error.stack : undefined;
      if (stack !== undefined && this.settings.verbose) this.stderr.line(terminalText(stack));
    }
    return this.end(command, exitCode, { ...this.done, error: { code, message, hint, snapshots } });
  }

  /** The last word of a run; returns the exit code, which is not 0 when its result could not be printed. */
  end(command: string, exitCode: ExitCode, fields: Fields): ExitCode {
    this.sayCounted();
    if (this.settings.json) {
      this.object({
        type: 'summary',
        command,
        exitCode,
        seconds: Math.round(performance.now() - this.started) / 1000,
        problems: this.counts.error,
        warnings: this.counts.warning + this.counts.note,
        ...fields,
        ...(this.traffic === undefined ? {} : { traffic: trafficFields(this.traffic) }),
        ...(this.targetTraffic === undefined ? {} : { targetTraffic: trafficFields(this.targetTraffic) }),
      });
    }
    this.stdout.flush();
    if (this.isVerbose && !this.isOver) {
      if (this.traffic !== undefined) this.remark(trafficText(this.traffic));
      if (this.targetTraffic !== undefined) this.remark(`Target: ${trafficText(this.targetTraffic)}`);
    }
    let code = exitCode;
    if (this.stdout.failure !== undefined && !this.stdout.isClosed) {
      this.stderr.line(`cbr: cannot write to standard output: ${messageOf(this.stdout.failure)}`);
      if (code === EXIT.done) code = EXIT.failed;
    }
    this.stderr.flush();
    this.bar?.clear();
    return code;
  }

  private object(fields: Fields): void {
    this.stdout.line(JSON.stringify(fields));
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What `current` is where it is no path. */
const CURRENT: Readonly<Partial<Record<Progress['phase'], string>>> = {
  check: 'object',
  prune: 'step',
  measure: 'snapshot',
  copy: 'snapshot',
  scrub: 'object',
  mirror: 'object',
};

/** The names of docs/json.md. */
function progressFields(progress: Progress): Fields {
  const { phase, files, totalFiles, bytes, totalBytes, newBytes, current } = progress;
  return {
    type: 'progress',
    phase: phase === 'snapshot' ? 'store' : phase,
    share: progress.share,
    files,
    filesTotal: totalFiles,
    bytes,
    bytesTotal: totalBytes,
    bytesNew: newBytes,
    bytesPerSecond: progress.bytesPerSecond,
    secondsLeft: progress.secondsLeft,
    ...(current === undefined ? {} : rawField(CURRENT[phase] ?? 'path', current)),
  };
}
