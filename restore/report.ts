import { EXIT, type ExitCode } from './failure.js';
import { counted, sizeText } from './text.js';

/** What a restore has done, and all that it could not do. */
export class Report {
  files = 0;
  folders = 0;
  others = 0;
  bytes = 0;
  /** Paths whose content could not be had, with the reason. */
  readonly lost: string[] = [];
  /** Paths that could be read and not be made here, with the reason. */
  readonly unmade: string[] = [];
  private readonly lacking = new Map<string, string[]>();

  /** Something is there, but without a part of its metadata. */
  lacks(what: string, path: string): void {
    const paths = this.lacking.get(what);
    if (paths === undefined) this.lacking.set(what, [path]);
    else paths.push(path);
  }

  exitCode(): ExitCode {
    if (this.lost.length > 0) return EXIT.damage;
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

  /** Lines about what is missing, each path with its reason. */
  problems(): string[] {
    const lines: string[] = [];
    for (const [what, paths] of this.lacking) {
      lines.push(
        `Not kept: ${what} (${counted(paths.length, 'entry', 'entries')}):`,
        ...paths.map((path) => `  ${path}`),
      );
    }
    if (this.unmade.length > 0) {
      lines.push(
        `Could not be made here (${counted(this.unmade.length, 'entry', 'entries')}):`,
        ...this.unmade,
      );
    }
    if (this.lost.length > 0) {
      lines.push(
        `Not restored, for lack of their content (${counted(this.lost.length, 'entry', 'entries')}):`,
        ...this.lost,
      );
    }
    return lines;
  }
}
