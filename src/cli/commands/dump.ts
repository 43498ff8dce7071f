import { isatty } from 'node:tty';
import { type Command, Option } from 'commander';
import { CbrError } from '../../core/index.js';
import { rawPath } from '../../fs/index.js';
import type { Repository } from '../../repo/index.js';
import {
  type ArchiveSummary,
  type ArchiveWriter,
  type ByteSink,
  type DumpSource,
  dumpArchive,
  dumpFile,
  openDump,
  TarWriter,
  ZipWriter,
  ZstdSink,
} from '../../snapshot/index.js';
import { type Written, writeBytes } from '../byte-output.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { MOMENT_HELP } from '../moments.js';
import type { Output } from '../output.js';
import { noteIfLacking } from '../partial-text.js';
import { withRepository } from '../repository.js';
import { countOf, sizeText } from '../sizes.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP, wantedOf } from '../snapshot-choice.js';

const FORMATS = ['tar', 'tar.zst', 'zip'] as const;
type Format = (typeof FORMATS)[number];

interface Flags {
  readonly format?: Format;
  readonly output?: string;
}

const HELP = `${SNAPSHOT_HELP}
A file comes as it is; of a folder, or with --format, an archive is made. Its paths begin below the folder, as those of a
restore do: "cbr dump latest:/home/ann | tar -x -C ANN" brings back what "cbr restore latest:/home/ann --target ANN" does.
tar archives hold everything but sockets: names of any bytes, nanoseconds, owners, hard links, devices, extended
attributes and ACLs (tar --xattrs --acls; bsdtar -p). zip archives hold files, folders and symlinks with mode, owner and
time; each name of a file with several is a file there. Sparse files are written in full.
Every byte is verified before it is written. A damaged file ends the output there; one of up to 8 MiB is left out of an
archive instead, and told. Both give exit code 4. A file given with -o appears only when all is written, and an archive without
what is damaged does not replace a file that is there.
With --json, progress, problems and the summary go to standard error unless -o is given.
${MOMENT_HELP}

Examples:
  $ cbr dump latest:/var/backups/shop.sql | psql shop
  $ cbr dump --at 'yesterday 18:00' :/etc/fstab
  $ cbr dump latest:/home/ann -o ann.tar.zst
  $ cbr dump latest~1:/home/ann/letters --format zip > letters.zip`;

export const dump: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot[:path]]', 'the file or folder to write')
      .addOption(
        new Option(
          '--format <format>',
          'make an archive: tar, tar.zst or zip (default for a folder: by the name of -o, else tar)',
        ).choices(FORMATS),
      )
      .option(
        '-o, --output <file>',
        'write to this file, replaced when all is written (default: to standard output)',
      );
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { format, output: file } = command.opts<Flags>();
    const choice = choiceOf(command);
    const wanted = wantedOf(command.processedArgs[0] as string | undefined, choice);
    if (file === undefined) context.output.leaveStandardOutput();
    return withRepository(context, async (repository) => {
      const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
      noteIfLacking(context.output, snapshot, wanted.path);
      const source = await openDump(repository, snapshot, wanted.path);
      const chosen = format ?? (source.found.tree === undefined ? undefined : (formatOf(file) ?? 'tar'));
      const about = { snapshot: snapshot.id, ...(file === undefined ? {} : { output: file }) };
      return chosen === undefined
        ? dumpedFile(context, source, file, about)
        : dumpedArchive(context, repository, source, chosen, file, about);
    });
  },
};

type About = Readonly<Record<string, unknown>>;

async function dumpedFile(
  context: CommandContext,
  source: DumpSource,
  file: string | undefined,
  about: About,
): Promise<Outcome> {
  const { output, signal } = context;
  const listener = shownBy(output, 'repository');
  const written = await writeBytes(context, file, (sink) => dumpFile(source, sink, listener, signal));
  const { result } = written;
  if (file !== undefined && result !== undefined) output.line(`Wrote ${sizeText(result.bytes)}.`);
  return { exitCode: EXIT.done, summary: { ...about, ...cut(written), ...result } };
}

async function dumpedArchive(
  context: CommandContext,
  repository: Repository,
  source: DumpSource,
  format: Format,
  file: string | undefined,
  about: About,
): Promise<Outcome> {
  const { output, signal } = context;
  if (file === undefined && isatty(1)) {
    throw new CbrError('usage', 'an archive is not written to a terminal', {
      hint: 'Use -o FILE, or a pipe.',
    });
  }
  const listener = shownBy(output, 'target');
  const produce = async (sink: ByteSink): Promise<ArchiveSummary> => {
    const packed = format === 'tar.zst' ? zstdSink(repository, sink) : undefined;
    const writer = writerOf(format, packed ?? sink, source);
    const summary = await dumpArchive(source, writer, listener, signal);
    await packed?.end();
    return summary;
  };
  const written = await writeBytes(context, file, produce, ({ lost }) => lost === 0);
  const { result, isDropped } = written;
  if (isDropped) tellDropped(output, file!);
  else if (file !== undefined && result !== undefined) output.line(archiveText(result));
  const fields =
    result === undefined ? {} : { ...archiveFields(result), ...(isDropped ? { dropped: true } : {}) };
  const isWhole = result === undefined || result.lost === 0;
  return {
    exitCode: isWhole ? EXIT.done : EXIT.damage,
    summary: { ...about, format, ...cut(written), ...fields },
  };
}

function tellDropped(output: Output, file: string): void {
  output.problem({
    severity: 'warning',
    about: 'target',
    code: 'kept',
    reason: 'is as it was: the new archive lacks what is damaged, and was dropped',
    hint: 'Name another file with -o to have what is left.',
    path: rawPath(file),
  });
}

/** The format that the name of a file asks for. */
function formatOf(file: string | undefined): Format | undefined {
  const name = file?.toLowerCase() ?? '';
  if (name.endsWith('.tzst')) return 'tar.zst';
  return FORMATS.find((format) => name.endsWith(`.${format}`));
}

function writerOf(format: Format, sink: ByteSink, { snapshot }: DumpSource): ArchiveWriter {
  return format === 'zip' ? new ZipWriter(sink, snapshot.about) : new TarWriter(sink);
}

function zstdSink({ algorithms, config }: Repository, sink: ByteSink): ZstdSink {
  return new ZstdSink(sink, algorithms.zstd, config.compression);
}

/** The reader went away before the end. */
function cut({ isCut }: Written<unknown>): About {
  return isCut ? { cut: true } : {};
}

function archiveText({ files, others, folders, bytes, skipped, lost }: ArchiveSummary): string {
  const entries = `${countOf(files + others, 'file')} in ${countOf(folders, 'folder')}, ${sizeText(bytes)}`;
  const left = [
    ...(skipped === 0 ? [] : [`${countOf(skipped, 'entry', 'entries')} that such an archive cannot hold`]),
    ...(lost === 0 ? [] : [`${countOf(lost, 'entry', 'entries')} that ${lost === 1 ? 'is' : 'are'} damaged`]),
  ];
  return left.length === 0 ? `Wrote ${entries}.` : `Wrote ${entries}; left out ${left.join(' and ')}.`;
}

function archiveFields({ files, others, folders, bytes, skipped, lost }: ArchiveSummary): About {
  return { files: { written: files + others, skipped, failed: lost }, folders, bytes };
}
