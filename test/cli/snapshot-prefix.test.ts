import { expect, test } from 'vitest';
import { plainPlace } from './run.js';
import { take } from './taken.js';

test('an id that begins several names them all; one that begins none says so; nothing is guessed', async () => {
  const its = await plainPlace();
  const ids: string[] = [];
  // Of 17 ids two begin alike; on average of six.
  while (new Set(ids.map((id) => id[0])).size === ids.length) {
    ids.push(await take(its, `2024-01-${String(ids.length + 1).padStart(2, '0')}`));
  }
  const prefix = ids.at(-1)![0]!;
  const meant = ids.filter((id) => id.startsWith(prefix));
  const { code, summary } = await its.json(['ls', `${prefix}:${its.source}`]);
  expect(code).toBe(2);
  expect(summary.error).toMatchObject({ code: 'ambiguous', hint: 'Give more digits of the id.' });
  const { message } = summary.error as { message: string };
  expect(message).toContain(`${meant.length} snapshots begin with ${prefix}: `);
  for (const id of meant) {
    const day = String(ids.indexOf(id) + 1).padStart(2, '0');
    expect(message).toContain(`${id.slice(0, 12)} (2024-01-${day} 00:00:00 +00:00, dove, ${its.source})`);
  }
  const unknown = await its.run(['ls', 'ffffffffffffffff']);
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toContain('no snapshot has an id that begins with ffffffffffffffff');
}, 120_000);
