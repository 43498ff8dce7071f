import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';

/** What the golden repositories are made of: everything that an entry can hold, in few bytes, the same at every run. */

export const KIB = 1024;
const AREA = '/srv/golden';
export const TREE = `${AREA}/tree`;
export const SECOND = `${AREA}/second`;
/** A source that is missing: the snapshot has an error, and is told to be incomplete. */
export const GONE = `${AREA}/gone`;

const raw = (text) => Buffer.from(text, 'latin1');
export const at = (name) => raw(`${TREE}/${name}`);

/** Bytes that look random and are the same everywhere. */
export function noise(bytes, label) {
  return createHash('shake256', { outputLength: bytes }).update(label).digest();
}

/** Of period 1200 with one cut point in it: chunks of 1200 bytes, all alike. Thousands of chunks take no room so. */
const PERIOD = 1200;
const repeated = (times) => Buffer.alloc(times * PERIOD, noise(PERIOD, 'pattern 1'));

function words(count, label) {
  const list = 'pack block chunk tree entry seal mark fence lease epoch note policy'.split(' ');
  return [...noise(count, label)].map((byte) => list[byte % list.length]).join(' ');
}

function shell(script) {
  execFileSync('/bin/sh', ['-e'], { cwd: AREA, input: raw(script), stdio: ['pipe', 'ignore', 'inherit'] });
}

function writeSparse(name, size, parts) {
  const fd = openSync(at(name), 'w');
  ftruncateSync(fd, size);
  for (const [start, content] of parts) writeSync(fd, content, 0, content.length, start);
  closeSync(fd);
}

async function makeSocket(path) {
  const server = createServer();
  await new Promise((resolve) => server.listen('/srv/socket-being-made', resolve));
  linkSync('/srv/socket-being-made', path);
  await new Promise((resolve) => server.close(resolve));
}

export async function makeSources() {
  rmSync(AREA, { recursive: true, force: true });
  for (const folder of [AREA, TREE, SECOND]) mkdirSync(folder);
  for (const folder of ['sizes', 'names', 'special', 'metadata', 'many', 'empty', 'changing'])
    mkdirSync(at(folder));
  for (const [name, content] of [
    ['0 bytes', ''],
    ['1 byte', 'x'],
    ['one chunk', noise(900, 'one chunk')],
    ['text', words(3000, 'text')],
    ['several chunks', noise(24 * KIB, 'several chunks')],
    ['content list', repeated(150)],
    ['content list of pages', repeated(4150)],
  ]) {
    writeFileSync(at(`sizes/${name}`), content);
  }
  const island = noise(5 * KIB, 'island');
  writeSparse('sizes/sparse', 1024 * KIB, [
    [256 * KIB, island],
    [768 * KIB, island],
  ]);
  writeSparse('sizes/only a hole', 640 * KIB, []);
  // 40 ranges of data between holes: more than 64 items, holes among them.
  writeSparse(
    'sizes/many holes',
    40 * 128 * KIB,
    Array.from({ length: 40 }, (_, i) => [i * 128 * KIB, island]),
  );
  for (const name of [
    'b\xe4d \xff\xfe',
    'gut \xc3\xa4',
    'line\nbreak',
    '\x01 \x7f',
    ' blank ',
    'quote \' " \\',
    'x'.repeat(255),
  ]) {
    writeFileSync(at(`names/${name}`), `${name.length}\n`);
  }
  linkSync(at('sizes/one chunk'), at('names/second name'));
  linkSync(at('sizes/one chunk'), at('third name'));
  symlinkSync('../sizes/text', at('special/link'));
  symlinkSync(raw('nowhere/\xff'), at('special/dangling'));
  linkSync(at('special/dangling'), at('special/dangling too'));
  await makeSocket(at('special/socket'));
  for (let i = 0; i < 1100; i++) writeFileSync(at(`many/${String(i).padStart(4, '0')}`), '');
  for (const name of [
    'plain',
    'setuid',
    'setgid',
    'no rights',
    'owned',
    'xattrs',
    'acl',
    'flags',
    'before 1970',
  ]) {
    writeFileSync(at(`metadata/${name}`), `${name}\n`);
  }
  mkdirSync(at('metadata/sticky'));
  mkdirSync(at('metadata/default acl'));
  writeFileSync(at('changing/text'), 'first\n');
  writeFileSync(at('changing/data'), noise(20 * KIB, 'first'));
  writeFileSync(`${SECOND}/file`, words(200, 'second source'));
  shell(`
    cd tree
    mkfifo special/fifo
    mknod special/character c 1 3
    mknod special/block b 259 70000
    chown 12345:23456 metadata/owned
    chown -h 60001:1 special/dangling
    setfattr -n user.small -v 0x00ff01 metadata/xattrs
    setfattr -n user.empty metadata/xattrs
    setfattr -n user.large -v 0x${noise(5000, 'large attribute').toString('hex')} metadata/xattrs
    setfattr -n trusted.folder -v yes metadata
    setfattr -h -n trusted.link -v yes special/link
    setfacl -m u:12345:rw,g:23456:r metadata/acl
    setfacl -m d:u:12345:rwx 'metadata/default acl'
    chmod 4755 metadata/setuid
    chmod 2755 metadata/setgid
    chmod 0000 'metadata/no rights'
    chmod 1777 metadata/sticky
    touch -d @1700000000.123456789 metadata/plain
    touch -d @-1000000.5 'metadata/before 1970'
    touch -h -d @1600000000.000000001 special/link special/dangling
    touch -d @1650000000 many/* empty sizes/text
    touch -d @7258118400 metadata/owned
    chattr +dA metadata/flags
    touch -d @1234567890.987654321 many metadata special ../tree ../second
  `);
}
