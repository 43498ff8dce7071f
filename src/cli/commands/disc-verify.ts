import type { Command } from 'commander';
import { type DiscVerdict, openSectors, verifyDisc } from '../../disc/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { objectProgress } from '../object-progress.js';
import { displayText } from '../raw-names.js';
import { countOf, sizeText } from '../sizes.js';

const HELP = `
Reads every file of the disc and compares it with its SHA-256. No repository and no password are needed. The exit code is 4 when a file is
damaged or missing.

Examples:
  $ cbr disc verify /var/tmp/discs/CBR_PHOTOS_0001.iso
  $ cbr disc verify /dev/sr0`;

export const discVerify: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<image-or-device>', 'an image, or a drive with a disc in it')
      .addHelpText('after', HELP);
  },

  async run({ output, signal }: CommandContext, command: Command): Promise<Outcome> {
    const place = command.processedArgs[0] as string;
    const source = await openSectors(place);
    let verdict: DiscVerdict;
    try {
      const show = objectProgress(output, 'scrub');
      verdict = await verifyDisc(source, displayText(place), signal, ({ files, totalFiles, ...rest }) =>
        show({ objects: files, totalObjects: totalFiles, ...rest }),
      );
    } finally {
      await source.close();
    }
    const { label, volumeId, files, bytes, damaged, strangers } = verdict;
    for (const { path, reason } of damaged) {
      const object = displayText(path);
      output.problem({
        severity: 'error',
        about: 'repository',
        code: 'damaged',
        object,
        reason: `${object}: ${displayText(reason)}`,
      });
    }
    for (const path of strangers) {
      const object = displayText(path);
      output.problem({
        severity: 'warning',
        about: 'repository',
        code: 'stranger',
        object,
        reason: `${object}: has no hash: nobody can tell whether it is as it was`,
      });
    }
    const which =
      label === undefined
        ? displayText(volumeId)
        : `${displayText(label.volume)}, disc ${label.number} of the set ${displayText(label.set)}`;
    output.line(`Read ${countOf(files, 'file')}, ${sizeText(bytes)}: ${which}.`);
    if (damaged.length === 0) output.line('Each of them is as it was written.');
    else {
      output.line(`Damaged: ${countOf(damaged.length, 'file')}.`);
      output.repeatProblems();
    }
    return {
      exitCode: damaged.length > 0 ? EXIT.damage : EXIT.done,
      summary: {
        volume: volumeId,
        ...(label === undefined
          ? {}
          : { set: label.set, number: label.number, disc: label.disc, repository: label.repository }),
        files,
        bytesRead: bytes,
        damaged: damaged.map(({ path }) => path),
        strangers,
      },
    };
  },
};
