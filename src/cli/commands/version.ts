import type { Command } from 'commander';
import { VERSION } from '../../core/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { labelled } from '../table.js';

export const version: CommandModule = {
  configure(command: Command): void {
    command.addHelpText('after', '\nExample:\n  $ cbr version -v');
  },

  async run({ options, output }: CommandContext): Promise<Outcome> {
    const node = process.versions.node;
    output.line(`cbr ${VERSION}`);
    const { FORMAT_VERSION, loadAlgorithms } = await import('../../repo/index.js');
    const summary = { version: VERSION, formatVersion: FORMAT_VERSION, node };
    if (!options.verbose) return { exitCode: EXIT.done, summary };

    const { zstd, blake3, argon2 } = await loadAlgorithms(options.portable);
    const implementations = { zstd: zstd.name, blake3: blake3.name, argon2: argon2().name };
    const rows = Object.entries({ format: `version ${FORMAT_VERSION}`, node, ...implementations });
    for (const line of labelled(rows)) output.line(line);
    return { exitCode: EXIT.done, summary: { ...summary, implementations } };
  },
};
