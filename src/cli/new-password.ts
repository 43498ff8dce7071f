import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import type { Repository } from '../repo/index.js';
import type { CommandContext } from './command.js';
import { type PasswordSource, readPassword } from './password.js';

interface Flags {
  readonly newPasswordFile?: string;
  readonly newPasswordCommand?: string;
}

/** The options that say where a password that is to be set comes from. */
export function declareNewPassword(command: Command): void {
  command
    .option('--new-password-file <file>', 'read the new password from a file (or CBR_NEW_PASSWORD_FILE)')
    .option('--new-password-command <command>', 'take the new password from what a shell command prints');
}

function sourceOf(command: Command): PasswordSource {
  const { newPasswordFile, newPasswordCommand } = command.opts<Flags>();
  if (newPasswordFile !== undefined) return { kind: 'file', path: newPasswordFile };
  if (newPasswordCommand !== undefined) return { kind: 'command', command: newPasswordCommand };
  const file = process.env.CBR_NEW_PASSWORD_FILE;
  return file ? { kind: 'file', path: file } : { kind: 'prompt' };
}

/** The password to set; a typed one is asked for twice. Rejects as `readPassword`. */
export function readNewPassword({ signal }: CommandContext, command: Command): Promise<Uint8Array> {
  return readPassword(sourceOf(command), 'new', signal);
}

/** The master key that passwords wrap. Rejects with `usage` where there is none. */
export function requireMaster({ keys, backend }: Repository): Uint8Array {
  const { master } = keys.material;
  if (master !== undefined) return master;
  throw new CbrError('usage', `the repository ${backend.location} is not encrypted: it has no passwords`);
}
