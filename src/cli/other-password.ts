import type { Command } from 'commander';
import type { PasswordSource } from './password.js';

/** Where the password of another repository than that of -r comes from: `to` one, or `from` one. */
type Role = 'to' | 'from';

interface Flags {
  readonly toPasswordFile?: string;
  readonly toPasswordCommand?: string;
  readonly fromPasswordFile?: string;
  readonly fromPasswordCommand?: string;
}

export function declareOtherPassword(command: Command, role: Role, whose: string): void {
  const variable = `CBR_${role.toUpperCase()}_PASSWORD_FILE`;
  command
    .option(`--${role}-password-file <file>`, `read the password of ${whose} from a file (or ${variable})`)
    .option(
      `--${role}-password-command <command>`,
      `take the password of ${whose} from what a shell command prints`,
    );
}

/** The first that is given, as for -r. */
export function otherPassword(command: Command, role: Role): PasswordSource {
  const flags = command.opts<Flags>();
  const isTo = role === 'to';
  const path = isTo ? flags.toPasswordFile : flags.fromPasswordFile;
  if (path !== undefined) return { kind: 'file', path };
  const shell = isTo ? flags.toPasswordCommand : flags.fromPasswordCommand;
  if (shell !== undefined) return { kind: 'command', command: shell };
  const { env } = process;
  const file = isTo ? env.CBR_TO_PASSWORD_FILE : env.CBR_FROM_PASSWORD_FILE;
  if (file) return { kind: 'file', path: file };
  const text = isTo ? env.CBR_TO_PASSWORD : env.CBR_FROM_PASSWORD;
  return text === undefined ? { kind: 'prompt' } : { kind: 'text', text };
}
