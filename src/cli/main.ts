import { readFileSync } from 'node:fs';

/**
 * Where the program starts. Start-up time is a feature: nothing but builtins is imported before it is known what was asked
 * for, and `cbr --version` reads one file.
 */

interface PackageFile {
  readonly version: string;
  readonly engines: { readonly node: string };
}

/** What is missing of the Node that package.json asks for (`>=20.19`), or undefined. */
function unsupportedNode({ engines }: PackageFile): string | undefined {
  const [needed, found] = [engines.node, process.versions.node].map((text) =>
    text
      .replace(/^[^0-9]*/, '')
      .split('.')
      .map(Number),
  ) as [number[], number[]];
  const difference = needed.map((part, i) => (found[i] ?? 0) - part).find((each) => each !== 0) ?? 0;
  return difference < 0
    ? `cbr needs Node ${needed.join('.')} or newer, this is ${process.versions.node}`
    : undefined;
}

async function main(args: readonly string[]): Promise<void> {
  const about = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as PackageFile;
  const tooOld = unsupportedNode(about);
  if (tooOld !== undefined) {
    process.stderr.write(`cbr: ${tooOld}\n`);
    process.exit(1);
  }
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`cbr ${about.version}\n`);
    return;
  }
  // What the client of the object stores says about its future versions is for those who build cbr.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const { runCommandLine } = await import('./command-line.js');
  // Nothing is left to wait for, but worker threads and database handles may not know it.
  process.exit(await runCommandLine(args));
}

await main(process.argv.slice(2));
