/** An interrupted restore taken up again: what is read a second time. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CBR, readLines, runCbr } from './cbr-json.mjs';
import { corpus, measureFolder } from './corpora.mjs';
import { environment } from './everyday-one-file.mjs';
import { figure, markdownTable, sizeText } from './text.mjs';

const TARGET_SHARE = 0.05;
const CORPORA = ['tree', 'big'];

/** @param {{cache: string, memory: string}} run */
export async function measureResume({ cache, memory }) {
  const rows = [
    [
      'corpus',
      'interrupted after',
      'read by then',
      'read by the second run',
      'read in one go',
      'again',
      'beside all content',
      '',
    ],
  ];
  for (const name of CORPORA) {
    const { path, bytes } = corpus(cache, name);
    const place = join(cache, `everyday-resume-${name}`);
    const env = environment(place);
    if (!existsSync(join(place, 'made'))) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place, { recursive: true });
      runCbr(['init'], env);
      runCbr(['snapshot', path], env);
      writeFileSync(join(place, 'made'), '');
    }
    const target = join(memory, name);
    const args = ['restore', `latest:${path}`, '--target', target, '--overwrite', 'if-changed'];
    const whole = runCbr(args, env).summary.traffic.read.bytes;
    rmSync(target, { recursive: true });
    const first = await interrupted(args, env, bytes / 2);
    const there = measureFolder(target).bytes;
    const second = runCbr(args, env).summary.traffic.read.bytes;
    execFileSync('diff', ['-rq', '--no-dereference', path, target]);
    rmSync(target, { recursive: true });
    const share = (first + second - whole) / whole;
    rows.push([
      name,
      sizeText(there),
      sizeText(first),
      sizeText(second),
      sizeText(whole),
      `${figure(100 * share)} %`,
      `${figure((100 * (first + second - whole)) / bytes)} %`,
      share <= TARGET_SHARE ? 'reached' : 'missed',
    ]);
  }
  return [
    '### An interrupted restore, taken up again\n',
    'Stopped by a signal at about half, and run again with `--overwrite if-changed`; the result compared with the source. ' +
      'Read again: what both runs read beyond what one uninterrupted run reads, as a share of that (at most 5 %), and of the content that is restored.\n',
    markdownTable(rows),
  ].join('\n');
}

/** Starts a restore, stops it by SIGINT when so many bytes are restored, and returns how many it had read. */
async function interrupted(args, env, bytes) {
  const child = spawn(process.execPath, [CBR, ...args, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let rest = '';
  let stopped = false;
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
    rest += part;
    const lines = rest.split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { type, bytes: done } = JSON.parse(line);
      if (type === 'progress' && done >= bytes && !stopped) {
        stopped = true;
        child.kill('SIGINT');
      }
    }
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 130) throw new Error(`the restore ended with ${code} before it was interrupted`);
  return readLines(text).summary.traffic.read.bytes;
}
