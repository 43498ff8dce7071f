import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withTraffic } from '../../dist/backends/index.js';
import { type FilterRules, NO_RULES } from '../../dist/fs/index.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** A restore of a part of a snapshot: one file, or what rules choose. */

describe('of a single file', () => {
  async function oneFile(): Promise<Scratch & { readonly one: string }> {
    const its = await scratchRepository();
    const one = join(its.source, 'one');
    writeFileSync(one, 'content');
    chmodSync(one, 0o4640);
    utimesSync(one, 1_000_000_000, 1_000_000_000);
    await its.take();
    return Object.assign(its, { one });
  }

  test('says nothing of the folder that it is restored to', async () => {
    const its = await oneFile();
    const existing = its.newTarget();
    mkdirSync(existing);
    chmodSync(existing, 0o751);
    for (const target of [existing, its.newTarget()]) {
      const rule = { overwrite: 'always', compareContent: false } as const;
      const { summary } = await its.restore(undefined, { path: its.one, target, rule });
      expect(summary).toMatchObject({ files: 1, folders: 0, lost: 0, metadataProblems: 0 });
      const { mode, mtimeMs } = statSync(target);
      expect(mode & 0o7777).toBe(target === existing ? 0o751 : 0o777 & ~process.umask());
      expect(mtimeMs).toBeGreaterThan(1_000_000_000_000);
      expect(statSync(join(target, 'one')).mode & 0o7777).toBe(0o4640);
    }
  });
});

describe('of what rules choose', () => {
  test('reads no folders that can hold nothing of it', async () => {
    const its = await scratchRepository({ chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 2 ** 20 });
    // Text that cannot be compressed, so that the trees take many blocks.
    for (let folder = 0; folder < 30; folder++) {
      mkdirSync(join(its.source, `folder ${folder}`));
      for (let link = 0; link < 20; link++) {
        const to = randomContent(20 * folder + link, 3000).toString('base64url');
        symlinkSync(to, join(its.source, `folder ${folder}`, `link ${link}`));
      }
    }
    writeFileSync(join(its.source, 'folder 7/7'), '');
    await its.take();
    const readWith = async (text: string): Promise<number> => {
      const include = [{ text, option: '--include', ignoreCase: false }];
      const rules: FilterRules = { ...NO_RULES, include };
      let read = 0;
      const { target } = await its.restore(
        undefined,
        { rules, verify: false },
        {
          wrapBackend: (inner) => {
            const counted = withTraffic(inner);
            return {
              ...counted,
              read: async (kind, name, range) => {
                const bytes = await inner.read(kind, name, range);
                if (kind === 'packs') read += bytes.byteLength;
                return bytes;
              },
            };
          },
        },
      );
      expect(readFileSync(join(target, 'folder 7/7'), 'utf8')).toBe('');
      expect(readdirSync(join(target, 'folder 7'))).toEqual(['7']);
      return read;
    };
    const everywhere = await readWith('7');
    expect(await readWith('/folder 7/7')).toBeLessThan(everywhere / 3);
  });
});
