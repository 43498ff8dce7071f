import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { Damage } from './failure.js';

/** Fifos and devices have names as files have: who opens one may wait for ever. Windows has neither. */
const WITHOUT_WAITING = constants.O_NONBLOCK ?? 0;

/** Opens a file to read it. Throws Damage for what is no file, and what the system says. */
export function openFile(path: string): { readonly file: number; readonly size: number } {
  if (!statSync(path).isFile()) throw new Damage('it is no file');
  const file = openSync(path, constants.O_RDONLY | WITHOUT_WAITING);
  const stats = fstatSync(file);
  if (stats.isFile()) return { file, size: stats.size };
  // It became something else in between.
  closeSync(file);
  throw new Damage('it is no file');
}
