import fc from 'fast-check';
import type { Abilities } from './abilities.js';
import { quoted, runScript } from './source-tree.js';
import { pathsOf } from './tree-facts.js';

/** Changes of a tree, as lines of shell over two paths of it: `$a` exists, `$b` exists and may be the same. */

interface Edit {
  readonly name: string;
  readonly script: string;
  readonly needs?: keyof Abilities;
}

const EDITS: readonly Edit[] = [
  { name: 'edit', script: '[ ! -f "$a" ] || echo more >> "$a"' },
  { name: 'edit in place, times restored', script: inPlace('touch -r "$keep/times" "$a"') },
  { name: 'cut', script: '[ ! -f "$a" ] || truncate -s 1 "$a"' },
  { name: 'grow by a hole', script: '[ ! -f "$a" ] || truncate -s +100K "$a"' },
  { name: 'touch', script: 'touch -h "$a"' },
  {
    name: 'touch by a nanosecond',
    script: 'touch -h -d @1234567.000000001 "$a"; touch -h -d @1234567.000000002 "$a"',
  },
  { name: 'chmod', script: '[ -h "$a" ] || chmod 7$((n % 8))5 "$a"' },
  { name: 'chown', script: 'chown -h $((n % 60000)) "$a"', needs: 'owners' },
  { name: 'remove', script: '[ "$a" = . ] || rm -rf "$a"' },
  { name: 'rename', script: '[ "$a" = . ] || mv -T "$a" "$a-$n" 2>/dev/null || true' },
  {
    name: 'move',
    script: '[ "$a" = . ] || [ ! -d "$b" ] || [ -h "$b" ] || mv "$a" "$b/" 2>/dev/null || true',
  },
  {
    name: 'swap',
    script:
      '[ ! -f "$a" ] || [ ! -f "$b" ] || [ "$a" = "$b" ] || { mv "$a" x && mv "$b" "$a" && mv x "$b"; }',
  },
  { name: 'new file', script: '[ ! -d "$a" ] || [ -h "$a" ] || echo "content $n" > "$a/new $n"' },
  { name: 'new folder', script: '[ ! -d "$a" ] || [ -h "$a" ] || mkdir -p "$a/folder $n/inner"' },
  { name: 'copy', script: '[ "$a" = . ] || [ ! -f "$a" ] || cp -a "$a" "$a.copy $n"' },
  { name: 'copy a folder', script: '[ "$a" = . ] || [ ! -d "$a" ] || [ -h "$a" ] || cp -a "$a" "copy $n"' },
  { name: 'new name', script: '[ ! -f "$a" ] || ln "$a" "link $n" 2>/dev/null || true' },
  { name: 'to a symlink', script: '[ "$a" = . ] || { rm -rf "$a" && ln -s "to $n" "$a"; }' },
  { name: 'to a fifo', script: '[ "$a" = . ] || { rm -rf "$a" && mkfifo "$a"; }' },
  { name: 'to a folder', script: '[ "$a" = . ] || { rm -rf "$a" && mkdir "$a" && echo $n > "$a/in it"; }' },
  { name: 'to a file', script: '[ "$a" = . ] || { rm -rf "$a" && echo "file $n" > "$a"; }' },
  {
    name: 'xattr',
    script: '[ -h "$a" ] || [ -p "$a" ] || setfattr -n user.edit -v $n "$a"',
    needs: 'xattrs',
  },
  { name: 'ACL', script: '[ -h "$a" ] || setfacl -m u:$((n % 60000)):r "$a"', needs: 'acls' },
  { name: 'flags', script: '[ -h "$a" ] || [ -p "$a" ] || chattr +d "$a"', needs: 'flags' },
];

function inPlace(restore: string): string {
  const change = 'printf %05d $((n % 99999)) | dd of="$a" bs=1 conv=notrunc 2>/dev/null';
  return `[ ! -f "$a" ] || [ ! -s "$a" ] || { touch -r "$a" "$keep/times"; ${change}; ${restore}; }`;
}

/** Which edit, of which paths, with which number. */
export type EditWish = readonly [edit: number, a: number, b: number, n: number];

export const editsArbitrary: fc.Arbitrary<readonly EditWish[]> = fc.array(
  fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(1_000_000)),
  { minLength: 1, maxLength: 5 },
);

/** Carries edits out one after another; `keep` is a folder outside the tree. */
export function applyEdits(
  root: string,
  wishes: readonly EditWish[],
  can: Abilities,
  keep: string,
): string[] {
  const possible = EDITS.filter(({ needs }) => needs === undefined || can[needs]);
  return wishes.map(([edit, a, b, n]) => {
    const paths = pathsOf(root);
    const { name, script } = possible[edit % possible.length]!;
    const [from, to] = [a, b].map((number) => paths[number % paths.length]!);
    const values = `a=${quoted(from!)}; b=${quoted(to!)}; n=${n}; keep=${quoted(keep)}`;
    runScript(root, [values, script]);
    return `${name}: ${from} ${to} ${n}`;
  });
}
