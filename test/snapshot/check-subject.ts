import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CheckReport, Finding } from '../../dist/snapshot/index.js';
import { checkRepository } from '../../dist/snapshot/index.js';
import { randomContent } from './random-content.js';
import { Scratch } from './scratch-repository.js';

/** A repository with a few objects of each kind, and what it takes to damage them one at a time. */

/** The smallest sizes that go together, so that few bytes make many chunks, blocks and packs. */
export const SMALL = Object.freeze({ chunkBytes: 8192, blockBytes: 32_768, packBytes: 256 * 1024 });

/** 4096 inline items is no list, 64 are: a file of so many bytes has list pages. */
const LISTED_BYTES = 1_500_000;

export async function fillSource(source: string): Promise<void> {
  mkdirSync(join(source, 'docs/old'), { recursive: true });
  mkdirSync(join(source, 'many'));
  // What the second snapshot takes over from the first as it is.
  mkdirSync(join(source, 'same'));
  for (let i = 0; i < 60; i++) writeFileSync(join(source, `same/${i}`), randomContent(2000 + i, 9000));
  for (let i = 0; i < 40; i++) {
    writeFileSync(join(source, `docs/note-${i}`), `note ${i}\n`.repeat(i));
    writeFileSync(join(source, `docs/old/${i}.bin`), randomContent(i, 3000 + 700 * i));
  }
  // More entries than a page of a tree holds.
  for (let i = 0; i < 1100; i++) writeFileSync(join(source, `many/file-${i}`), i % 50 === 0 ? `${i}` : '');
  writeFileSync(join(source, 'large.bin'), randomContent(1000, LISTED_BYTES));
  writeFileSync(join(source, 'empty'), '');
}

/** Two snapshots with changes in between. */
export async function filledScratch(changes: Parameters<Scratch['init']>[0] = {}): Promise<Scratch> {
  const made = new Scratch();
  await made.init({ ...SMALL, ...changes });
  await fillSource(made.source);
  await made.take();
  writeFileSync(join(made.source, 'docs/old/7.bin'), randomContent(7777, 60_000));
  writeFileSync(join(made.source, 'docs/added'), 'added later');
  const large = readFileSync(join(made.source, 'large.bin'));
  writeFileSync(
    join(made.source, 'large.bin'),
    Buffer.concat([large.subarray(0, 700_000), randomContent(5, 999), large.subarray(700_000)]),
  );
  await made.take();
  return made;
}

/** A copy of a repository with a cache of its own, removed with the test. */
export class Copy extends Scratch {
  constructor(readonly original: Scratch) {
    super();
    cpSync(original.repo, this.repo, { recursive: true });
    onTestFinished(() => this.remove());
  }

  /** Paths of the objects of a kind below the repository. */
  objects(kind: string): string[] {
    return readdirSync(join(this.repo, kind), { recursive: true, encoding: 'utf8' })
      .map((path) => join(kind, path))
      .filter((path) => statSync(join(this.repo, path)).isFile())
      .sort();
  }

  size(object: string): number {
    return statSync(join(this.repo, object)).size;
  }

  /** Whether it is as long as it was. */
  hasSize(object: string): boolean {
    const there = statSync(join(this.repo, object), { throwIfNoEntry: false });
    return there?.size === statSync(join(this.original.repo, object)).size;
  }

  flip(object: string, at: number): void {
    const bytes = readFileSync(join(this.repo, object));
    bytes[at]! ^= 0x10;
    this.replace(object, bytes);
  }

  cut(object: string, length: number): void {
    this.replace(object, readFileSync(join(this.repo, object)).subarray(0, length));
  }

  /** Objects are read-only, which only root may ignore: a new file takes its place. */
  replace(object: string, bytes: Uint8Array): void {
    rmSync(join(this.repo, object));
    writeFileSync(join(this.repo, object), bytes);
  }

  /** The same bytes under another name. */
  copyOf(object: string, other: string): void {
    cpSync(join(this.repo, object), join(this.repo, other));
  }

  lose(object: string): void {
    rmSync(join(this.repo, object));
  }

  run(readData = 0, changes: Parameters<Scratch['use']>[1] = {}): Promise<CheckReport> {
    return this.use((repository) => {
      const options = { readData, threads: 2, signal: new AbortController().signal };
      return checkRepository(repository, options, () => undefined);
    }, changes);
  }
}

export function objectsOf(report: CheckReport): string[] {
  return report.findings.map(({ object }) => object);
}

export function findingOf(report: CheckReport, object: string): Finding | undefined {
  return report.findings.find((finding) => finding.object === object);
}

/** Files below `source` that `target` does not hold byte for byte, relative. */
export function missingFiles(source: string, target: string): string[] {
  const missing: string[] = [];
  for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!statSync(join(source, path)).isFile()) continue;
    try {
      if (readFileSync(join(target, path)).equals(readFileSync(join(source, path)))) continue;
    } catch {
      // It is not there at all.
    }
    missing.push(path);
  }
  return missing.sort();
}
