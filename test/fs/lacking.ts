import { run } from './scratch.js';

const MODULE = new URL('../../dist/fs/index.js', import.meta.url).href;

/** What a machine may lack: koffi, open folders that can be reached by path, the system call openat2. */
export type Lack = 'koffi' | 'descriptor paths' | 'openat2';

const TAKE_AWAY: Readonly<Record<Lack, string>> = {
  koffi: `
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function (name, ...rest) {
      if (name === 'koffi') throw new Error('not installed');
      return resolve.call(this, name, ...rest);
    };`,
  'descriptor paths': `
    const exists = nodeFs.existsSync;
    nodeFs.existsSync = (path) => path !== '/proc/self/fd' && exists(path);
    Module.syncBuiltinESMExports();`,
  openat2: `
    const load = Module._load;
    Module._load = function (name, ...rest) {
      const loaded = load.call(this, name, ...rest);
      if (name !== 'koffi') return loaded;
      return {
        errno: () => 38,
        load: (path) => {
          const library = loaded.load(path);
          return {
            func: (name, result, parameters) =>
              name === 'syscall' && parameters.length === 5 ? () => -1 : library.func(name, result, parameters),
          };
        },
      };
    };`,
};

/** What code returns in a process that lacks something; `fs` is the module under test, `nodeFs` that of node. */
export function lacking(lacks: readonly Lack[], code: string): unknown {
  const script = `
    import Module from 'node:module';
    import nodeFs from 'node:fs';
    ${lacks.map((lack) => TAKE_AWAY[lack]).join('\n')}
    const fs = await import(${JSON.stringify(MODULE)});
    const answer = (() => { ${code} })();
    process.stdout.write(JSON.stringify(answer));`;
  return JSON.parse(run(process.execPath, '--input-type=module', '-e', script));
}
