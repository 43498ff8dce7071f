import { EXIT, type ExitCode } from './failure.js';
import { counted, shown, sizeText } from './text.js';

/** So many paths of one sort are named unless all are asked for: where owners are not kept, that is every path. */
const NAMED = 20;

/** What a restore has done, and all that it could not do. */
export class Report {
  files = 0;
  folders = 0;
  others = 0;
  bytes = 0;
  /** Paths that could be read and not be made here, with the reason. */
  readonly unmade: string[] = [];
  /** Paths whose content could not be had, by the reason. */
  private readonly lost = new Map<string, string[]>();
  private readonly lacking = new Map<string, string[]>();
  private readonly lackingCounts = new Map<string, number>();

  constructor(private readonly isVerbose: boolean) {}

  /** Something is there, but without a part of its metadata. */
  lacks(what: string, path: string): void {
    const paths = this.lacking.get(what) ?? [];
    this.lacking.set(what, paths);
    if (this.isVerbose || paths.length < NAMED) paths.push(path);
    this.lackingCounts.set(what, (this.lackingCounts.get(what) ?? 0) + 1);
  }

  /** The content of that path could not be had. */
  lose(path: string, reason: string): void {
    const paths = this.lost.get(reason) ?? [];
    this.lost.set(reason, paths);
    paths.push(path);
  }

  exitCode(): ExitCode {
    if (this.lost.size > 0) return EXIT.damage;
    return this.unmade.length > 0 ? EXIT.failed : EXIT.done;
  }

  summary(target: string): string {
    const parts = [
      counted(this.files, 'file'),
      counted(this.folders, 'folder'),
      ...(this.others > 0 ? [counted(this.others, 'other entry', 'other entries')] : []),
    ];
    return `Restored to ${target}: ${parts.join(', ')}, ${sizeText(this.bytes)}.`;
  }

  /** Lines about what is missing; each path stands under its reason. */
  problems(): string[] {
    const lines: string[] = [];
    for (const [what, paths] of this.lacking) {
      const count = this.lackingCounts.get(what) ?? 0;
      lines.push(`Not kept: ${what} (${counted(count, 'entry', 'entries')}):`);
      for (const path of paths) lines.push(`  ${path}`);
      if (count > paths.length) lines.push(`  and ${count - paths.length} more: --verbose names all`);
    }
    if (this.unmade.length > 0) {
      lines.push(`Could not be made here (${counted(this.unmade.length, 'entry', 'entries')}):`);
    }
    for (const line of this.unmade) lines.push(line);
    const lost = [...this.lost.values()].reduce((sum, { length }) => sum + length, 0);
    if (lost > 0)
      lines.push(`Not restored, for lack of their content (${counted(lost, 'entry', 'entries')}):`);
    for (const [reason, paths] of this.lost) {
      lines.push(`  ${shown(reason)} (${counted(paths.length, 'entry', 'entries')}):`);
      for (const path of paths) lines.push(`    ${path}`);
    }
    return lines;
  }
}
