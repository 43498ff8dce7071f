import { dirname, posix } from 'node:path';
import ts from 'typescript';

/** Source files by path from the root of the project (`src/core/ids.ts`), with their text. */
export type Sources = ReadonlyMap<string, string>;

/** Returns one sentence for each violation, starting with the path. */
export type Rule = (sources: Sources) => readonly string[];

/** The folders below src/, from the bottom up; folders of one layer are siblings and do not know each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['core'],
  ['backends', 'chunker'],
  ['repo'],
  ['engine', 'fs', 'policy'],
  ['snapshot'],
  ['disc'],
  ['cli'],
];

const FRONT_DOOR = 'src/index.ts';
const MOST_LINES = 400;

interface Import {
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** The file meant, for relative imports. */
  readonly to: string | undefined;
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
}

/** Calls `visit` for every node of every file. */
function visitAll(sources: Sources, visit: (node: ts.Node, path: string) => void): void {
  for (const [path, text] of sources) {
    const walk = (node: ts.Node): void => {
      visit(node, path);
      ts.forEachChild(node, walk);
    };
    walk(parse(path, text));
  }
}

function specifierOf(node: ts.Node): string | undefined {
  const literal =
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
  return literal !== undefined && ts.isStringLiteral(literal) ? literal.text : undefined;
}

/** All imports: plain, type-only, re-exports, dynamic ones and import types. */
function importsOf(sources: Sources): readonly Import[] {
  const imports: Import[] = [];
  visitAll(sources, (node, path) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    const to = specifier.startsWith('.')
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      : undefined;
    imports.push({ from: path, specifier, to });
  });
  return imports;
}

/** `core` for src/core/ids.ts and src/core/a/b.ts, undefined for src/index.ts and whatever is outside src/. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

function where(node: ts.Node, path: string): string {
  return `${path}:${node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

/** Every file below src/ lies in a folder of the layer order, or is the front door. */
export const knownFolders: Rule = (sources) =>
  [...sources.keys()]
    .filter((path) => path.startsWith('src/') && path !== FRONT_DOOR)
    .filter((path) => layerOf(folderOf(path) ?? '') === -1)
    .map((path) => `${path} lies in no folder of the layer order`);

/** Arrows point down: no import of a higher layer, of a sibling, of the front door, or of what is outside src/. */
export const arrowsPointDown: Rule = (sources) =>
  importsOf(sources).flatMap(({ from, to, specifier }) => {
    const own = folderOf(from);
    if (to === undefined || own === undefined) return [];
    const other = folderOf(to);
    if (other === own) return [];
    if (other !== undefined && layerOf(other) < layerOf(own)) return [];
    return [`${from} imports ${specifier}: ${own} may not know ${other ?? to}`];
  });

/** Other folders are imported through their index.ts only. */
export const publicFacesOnly: Rule = (sources) =>
  importsOf(sources).flatMap(({ from, to, specifier }) => {
    if (to === undefined || !from.startsWith('src/')) return [];
    const other = folderOf(to);
    if (other === undefined || other === folderOf(from) || to === `src/${other}/index.ts`) return [];
    return [`${from} imports ${specifier}: an inner file of ${other}`];
  });

/** No file imports itself by way of others; type-only imports count. */
export const noCycles: Rule = (sources) => {
  const targets = new Map<string, string[]>();
  for (const { from, to } of importsOf(sources)) {
    if (to !== undefined && sources.has(to)) targets.set(from, [...(targets.get(from) ?? []), to]);
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, above: readonly string[]): void => {
    const start = above.indexOf(path);
    if (start !== -1) {
      cycles.push([...above.slice(start), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) walk(target, [...above, path]);
    done.add(path);
  };
  for (const path of targets.keys()) walk(path, []);
  return cycles;
};

/** core stands on the builtins of Node alone. */
export const coreHasNoPackages: Rule = (sources) =>
  importsOf(sources)
    .filter(
      ({ from, to, specifier }) =>
        folderOf(from) === 'core' && to === undefined && !specifier.startsWith('node:'),
    )
    .map(({ from, specifier }) => `${from} imports the package ${specifier}`);

/** The packages that become part of the reader on the discs. */
const READER_PACKAGES = /^(@noble\/hashes\/|fzstd$)/;

/** A second implementation proves the document only if it shares nothing with the first. */
export const readerStandsAlone: Rule = (sources) =>
  importsOf(sources)
    .filter(({ from, to, specifier }) =>
      to === undefined
        ? !specifier.startsWith('node:') && !READER_PACKAGES.test(specifier)
        : dirname(to) !== dirname(from),
    )
    .map(({ from, specifier }) => `${from} imports ${specifier}`);

/** What only the composition root may touch: an object, and the member of it that is meant (absent: any use of it). */
const EDGES: readonly { readonly object: string; readonly member?: string }[] = [
  { object: 'console' },
  { object: 'process', member: 'env' },
  { object: 'process', member: 'exit' },
  { object: 'Date', member: 'now' },
];

/** console, process.env, process.exit and the wall clock (Date.now, new Date()) appear in cli only. */
export const edgesInCliOnly: Rule = (sources) => {
  const found: string[] = [];
  visitAll(sources, (node, path) => {
    if (folderOf(path) === 'cli' || !path.startsWith('src/')) return;
    const report = (what: string) => found.push(`${where(node, path)} uses ${what}`);
    if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
      const object = node.expression.getText().replace(/^globalThis\./, '');
      const member = ts.isPropertyAccessExpression(node)
        ? node.name.text
        : ts.isStringLiteral(node.argumentExpression)
          ? node.argumentExpression.text
          : undefined;
      const edge = EDGES.find((each) => each.object === object && (each.member ?? member) === member);
      if (edge !== undefined) report(`${object}.${member}`);
    } else if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) {
      report('new Date()');
    } else if (/^(node:)?(console|process)$/.test(specifierOf(node) ?? '')) {
      report(`the module ${specifierOf(node)}`);
    } else if (ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name)) {
      const object = node.initializer?.getText();
      for (const { name, propertyName } of node.name.elements) {
        const member = (propertyName ?? name).getText();
        if (EDGES.some((each) => each.object === object && (each.member ?? member) === member)) {
          report(`${object}.${member}`);
        }
      }
    }
  });
  return found;
};

/** No `any` in types. */
export const noAny: Rule = (sources) => {
  const found: string[] = [];
  visitAll(sources, (node, path) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${where(node, path)} says any`);
  });
  return found;
};

/** Exports have names. */
export const noDefaultExports: Rule = (sources) => {
  const found: string[] = [];
  visitAll(sources, (node, path) => {
    const isDefault =
      ts.isExportAssignment(node) ||
      (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isModifier(node)) ||
      (ts.isExportSpecifier(node) && node.name.text === 'default');
    if (isDefault) found.push(`${where(node, path)} has a default export`);
  });
  return found;
};

/** Unions of words instead of enums. */
export const noEnums: Rule = (sources) => {
  const found: string[] = [];
  visitAll(sources, (node, path) => {
    if (ts.isEnumDeclaration(node)) found.push(`${where(node, path)} declares an enum`);
  });
  return found;
};

/** No file above 400 lines, unless a decision record names it. */
export function fileLength(decisions: string): Rule {
  return (sources) =>
    [...sources]
      .map(([path, text]) => ({ path, lines: text.replace(/\n$/, '').split('\n').length }))
      .filter(({ path, lines }) => lines > MOST_LINES && !decisions.includes(path))
      .map(
        ({ path, lines }) =>
          `${path} has ${lines} lines, more than ${MOST_LINES}, and no decision record names it`,
      );
}

/** Names that say nothing about what a file holds, alone or as a part of a name. */
const EMPTY_WORDS = /^(util|helper|misc|common|manager)s?$/i;

export const tellingNames: Rule = (sources) => {
  const paths = new Set<string>();
  for (const path of sources.keys()) {
    for (let part = path; part !== '.'; part = dirname(part)) paths.add(part);
  }
  return [...paths]
    .filter((path) =>
      posix
        .basename(path)
        .split(/[-._]|(?=[A-Z])/)
        .some((word) => EMPTY_WORDS.test(word)),
    )
    .map((path) => `${path} has a name that says nothing`);
};
