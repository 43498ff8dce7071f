import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { bytes, run, scratchFolder } from './scratch.js';

export interface GitTree {
  readonly folder: string;
  /** Which of the paths git ignores, with these patterns in its own list and these files (by path) in the tree. */
  ignored(patterns: readonly string[], files?: Readonly<Record<string, string>>): readonly string[];
}

/**
 * A tree of real files that git is asked about. A path that ends with '/' is made a folder. (Asked about 'a/' with the
 * slash, check-ignore would match another text than a walk does.)
 */
export function gitTree(paths: readonly string[], ignoreCase = false): GitTree {
  const folder = scratchFolder();
  run('git', 'init', '-q', folder);
  for (const path of paths) {
    const isFolder = path.endsWith('/');
    mkdirSync(bytes(`${folder}/${isFolder ? path : (/^.*\//.exec(path)?.[0] ?? '')}`), { recursive: true });
    if (!isFolder) writeFileSync(bytes(`${folder}/${path}`), '');
  }
  const input = bytes(paths.map((path) => path.replace(/\/$/, '')).join('\0'));
  const parameters = ['-C', folder, '-c', `core.ignoreCase=${ignoreCase}`];
  return {
    folder,
    ignored(patterns, files = {}) {
      writeFileSync(`${folder}/.git/info/exclude`, bytes(patterns.map((pattern) => `${pattern}\n`).join('')));
      for (const [path, content] of Object.entries(files))
        writeFileSync(bytes(`${folder}/${path}`), bytes(content));
      const { status, stdout } = spawnSync(
        'git',
        [...parameters, 'check-ignore', '--no-index', '-z', '--stdin'],
        { input, encoding: 'latin1' },
      );
      if (status !== 0 && status !== 1) throw new Error(`git ended with ${status}`); // 1: none is ignored
      const ignored = new Set(stdout.split('\0'));
      return paths.filter((path) => ignored.has(path.replace(/\/$/, '')));
    },
  };
}
