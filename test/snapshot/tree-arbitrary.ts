import fc from 'fast-check';
import type { Abilities } from './abilities.js';
import type { Metadata, Node, Part } from './source-tree.js';

/** Trees with every type of entry, every kind of metadata and every sort of name that this machine can hold. */

export interface GeneratedTree {
  readonly children: readonly Node[];
  readonly metadata: Metadata;
}

const KIB = 1024;

const byteText = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 1, max: 255 }), { minLength: min, maxLength: max })
    .map((codes) => String.fromCharCode(...codes).replaceAll('/', '_'));

const plainName = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const oddName = fc.constantFrom(
  ...['two\nlines', ' blank ', '-n', "quote'quote", 'back\\slash', 'caf\xe9', '*?[!a]', '\xff\xfe'],
  ...['\x1b[31m', '#comment', '!not', '...', 'a.cbr-tmp', Buffer.from('a\u0308\u00e4').toString('latin1')],
);
const nameArbitrary = fc
  .oneof(
    { weight: 6, arbitrary: plainName },
    { weight: 2, arbitrary: oddName },
    { weight: 2, arbitrary: byteText(1, 30) },
    { weight: 1, arbitrary: byteText(255, 255) },
  )
  .filter((name) => name !== '.' && name !== '..');

const NANOSECONDS = 1_000_000_000n;
/** What ext4 holds: from 1901 to 2446. */
const timeArbitrary = fc.oneof(
  fc.bigInt({ min: -2_147_483_648n * NANOSECONDS, max: 15_032_385_535n * NANOSECONDS }),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.constantFrom(0n, -1n, -NANOSECONDS, 4_294_967_296n * NANOSECONDS, 2_147_483_648n * NANOSECONDS + 7n),
);

const partArbitrary: fc.Arbitrary<Part> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ seed: fc.nat(50), bytes: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 2, arbitrary: fc.record({ seed: fc.nat(50), bytes: fc.integer({ min: 1, max: 400 * KIB }) }) },
  { weight: 2, arbitrary: fc.record({ hole: fc.integer({ min: 1, max: 600 * KIB }) }) },
);

function metadataArbitrary(can: Abilities, type: 'file' | 'folder' | 'other'): fc.Arbitrary<Metadata> {
  const rare = <T>(arbitrary: fc.Arbitrary<T>, possible = true): fc.Arbitrary<T | undefined> =>
    possible ? fc.option(arbitrary, { nil: undefined, freq: 2 }) : fc.constant(undefined);
  const length = can.largeXattrs
    ? fc.oneof(fc.nat(150), fc.integer({ min: 4000, max: 20_000 }))
    : fc.nat(150);
  const isOther = type === 'other';
  const space = isOther
    ? fc.constant('trusted.')
    : fc.constantFrom('user.', ...(can.trustedXattrs ? ['trusted.'] : []));
  const xattr = fc
    .tuple(space, fc.stringMatching(/^[a-zA-Z0-9_.-]{1,12}$/), fc.nat(50), length)
    .map(([prefix, name, seed, bytes]) => ({ name: prefix + name, seed, bytes }));
  const acls = [
    'u:12345:rw',
    'g:23456:r-x,u:54321:-',
    'm::r',
    ...(type === 'folder' ? ['d:u:12345:rwx'] : []),
  ];
  const flags = [
    ...['d', 'A', 'dA', ...(can.lockingFlags ? ['i', 'a', 'ai'] : [])],
    ...(can.diskFlags ? ['S', 'dsu', ...(type === 'folder' ? ['D', 'T', 'dD'] : [])] : []),
  ];
  // Without the rights of root an unreadable file would be an error of the source.
  const readable = can.owners ? 0 : type === 'folder' ? 0o700 : 0o600;
  return fc
    .record({
      mode: rare(fc.integer({ min: 0, max: 0o7777 }).map((mode) => mode | readable)),
      uid: rare(fc.constantFrom(0, 1, 12_345, 2 ** 31), can.owners),
      gid: rare(fc.constantFrom(0, 1, 23_456, 2 ** 32 - 2), can.owners),
      mtime: rare(timeArbitrary),
      xattrs: rare(
        fc.uniqueArray(xattr, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
        isOther ? can.trustedXattrs : can.xattrs,
      ),
      acl: rare(fc.constantFrom(...acls), can.acls && !isOther),
      flags: rare(fc.constantFrom(...flags), can.flags && !isOther),
    })
    .map((found) => Object.fromEntries(Object.entries(found).filter(([, each]) => each !== undefined)));
}

function leafArbitrary(can: Abilities): fc.Arbitrary<Node> {
  const file = fc.record({
    type: fc.constant('file' as const),
    name: nameArbitrary,
    metadata: metadataArbitrary(can, 'file'),
    parts: fc.array(partArbitrary, { maxLength: 4 }),
  });
  const other = { name: nameArbitrary, metadata: metadataArbitrary(can, 'other') };
  const symlink = fc.record({ type: fc.constant('symlink' as const), ...other, to: byteText(1, 60) });
  const special = fc.record({ type: fc.constantFrom('fifo' as const, 'socket' as const), ...other });
  const device = fc.record({
    type: fc.constant('device' as const),
    ...other,
    kind: fc.constantFrom('b' as const, 'c' as const),
    major: fc.integer({ min: 0, max: 4095 }),
    minor: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
  });
  return fc.oneof<fc.WeightedArbitrary<Node>[]>(
    { weight: 8, arbitrary: file },
    { weight: 2, arbitrary: symlink },
    { weight: 1, arbitrary: special },
    ...(can.devices ? [{ weight: 1, arbitrary: device }] : []),
  );
}

/** Further names: which file, in which folder, under which name. */
type LinkWish = readonly [file: number, folder: number, name: string];

export function treeArbitrary(can: Abilities): fc.Arbitrary<GeneratedTree> {
  const leaf = leafArbitrary(can);
  const { node } = fc.letrec<{ node: Node; folder: Node }>((tie) => ({
    folder: fc.record({
      type: fc.constant('folder' as const),
      name: nameArbitrary,
      metadata: metadataArbitrary(can, 'folder'),
      children: fc.uniqueArray(tie('node'), { maxLength: 5, selector: ({ name }) => name }),
    }) as fc.Arbitrary<Node>,
    node: fc.oneof({ maxDepth: 4 }, { weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: tie('folder') }),
  }));
  const children = fc.uniqueArray(node, { maxLength: 12, selector: ({ name }) => name });
  const wishes = fc.array(fc.tuple(fc.nat(), fc.nat(), nameArbitrary), { maxLength: 6 });
  return fc
    .record({ children, metadata: metadataArbitrary(can, 'folder'), wishes })
    .map((tree) => ({ metadata: tree.metadata, children: withLinks(tree.children, tree.wishes, can) }));
}

function withLinks(children: readonly Node[], wishes: readonly LinkWish[], can: Abilities): readonly Node[] {
  const folders: string[] = ['.'];
  const taken = new Set<string>();
  const linkable: Node[] = [];
  const collect = (nodes: readonly Node[], at: string): void => {
    for (const node of nodes) {
      const path = `${at}/${node.name}`;
      taken.add(path);
      if (node.type === 'folder') {
        folders.push(path);
        collect(node.children, path);
      } else if (node.type === 'file' || (node.type === 'symlink' && can.linkedSymlinks)) linkable.push(node);
    }
  };
  collect(children, '.');
  const links = new Map<Node, string[]>();
  for (const [file, folder, name] of linkable.length === 0 ? [] : wishes) {
    const path = `${folders[folder % folders.length]}/${name}`;
    if (taken.has(path)) continue;
    taken.add(path);
    const node = linkable[file % linkable.length]!;
    links.set(node, [...(links.get(node) ?? []), path]);
  }
  const add = (node: Node): Node => {
    if (node.type === 'folder') return { ...node, children: node.children.map(add) };
    const names = links.get(node);
    return names === undefined ? node : ({ ...node, links: names } as Node);
  };
  return children.map(add);
}
