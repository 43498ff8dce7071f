import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.js';
import type { GlobalOptions } from './options.js';
import type { Output } from './output.js';

/** What every command is given. */
export interface CommandContext {
  readonly options: GlobalOptions;
  readonly output: Output;
  /** Aborted by the first signal; its reason is a CbrError `interrupted`. */
  readonly signal: AbortSignal;
}

/** How a command ended, and what its summary says beyond what every summary says (docs/json.md). */
export interface Outcome {
  readonly exitCode: ExitCode;
  readonly summary: Readonly<Record<string, unknown>>;
}

/** One command: its own arguments and options, and what it does. Everything it needs is loaded with its file. */
export interface CommandModule {
  configure(command: Command): void;
  /** Rejects with CbrError; whatever else it throws is a fault of the program. */
  run(context: CommandContext, command: Command): Promise<Outcome>;
}
