import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import type { CommandModule } from './command.js';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.js';
import type { GlobalOptions } from './options.js';
import { Output } from './output.js';
import { abortOnSignals } from './signals.js';

/** Runs one command to its end and says how it went; never rejects. Returns what the process exits with. */
export async function runCommand(
  name: string,
  module: CommandModule,
  command: Command,
  options: GlobalOptions,
): Promise<ExitCode> {
  const output = new Output({
    json: options.json,
    quiet: options.quiet,
    verbose: options.verbose,
    progress: options.progress,
    columns: () => (process.stderr.isTTY && process.env.TERM !== 'dumb' ? process.stderr.columns : undefined),
    // A terminal that does not know its size says 0.
    width: () => (process.stdout.isTTY ? process.stdout.columns || undefined : undefined),
  });
  const signal = abortOnSignals((signalName) =>
    output.remark(`${signalName}: stopping; once more ends at once`),
  );
  try {
    const { exitCode, summary } = await module.run({ options, output, signal }, command);
    return output.end(name, exitCode, summary);
  } catch (error) {
    // Whatever the interruption broke on its way is not news.
    const isInterrupted = signal.aborted && !(error instanceof CbrError && error.code === 'damaged');
    const shown = isInterrupted ? (signal.reason as unknown) : error;
    return output.fail(name, isInterrupted ? EXIT.interrupted : exitCodeOf(error), shown);
  }
}
