// @ts-check
/** Other versions of Node, kept in .cache/node-<version> of this checkout: the reader on the discs has to run by all of them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The oldest that the reader promises, and one that is newer than the one that builds it. */
export const OTHER_VERSIONS = ['18', '24'];

const PACKAGE = `node-${process.platform}-${process.arch}`;

/** @param {string} version */
const folderOf = (version) => join(import.meta.dirname, '../../.cache', `node-${version}`);

/**
 * The program, which `installNode` has put there.
 * @param {string} version
 */
export function nodeOf(version) {
  return join(folderOf(version), 'node_modules', PACKAGE, 'bin/node');
}

/** @param {string} version */
function isRightNode(version) {
  if (!existsSync(nodeOf(version))) return false;
  const { stdout } = spawnSync(nodeOf(version), ['--version'], { encoding: 'utf8' });
  return stdout?.startsWith(`v${version}.`) === true;
}

/**
 * Installs what is not there yet.
 * @param {string} version
 * @returns {string | undefined} why it failed, in a line; undefined when it did not
 */
export function installNode(version) {
  if (isRightNode(version)) return undefined;
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'];
  const args = ['install', '--prefix', folderOf(version), ...options, `${PACKAGE}@${version}`];
  const { error, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
  if (isRightNode(version)) return undefined;
  return error?.message ?? (stderr.trim().split('\n')[0] || 'it does not run');
}
