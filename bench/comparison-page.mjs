/** Writes docs/comparison.md. */
import { SETTINGS } from './comparison-run.mjs';

const TOOLS = ['cbr', 'restic', 'borg', 'dar'];
const WORDS = { yes: 'yes', part: 'in part', no: 'no' };

/**
 * @param {readonly import('./comparison-run.mjs').Task[]} tasks
 * @param {ReadonlyMap<string, readonly import('./comparison-run.mjs').TaskResult[]>} results
 * @param {ReadonlyMap<string, string>} versions
 */
export function comparisonPage(tasks, results, versions) {
  const resultOf = (tool, i) => results.get(tool)?.[i];
  const verdict = (tool, i) => {
    const way = tasks[i].ways[tool];
    if (resultOf(tool, i)?.fault !== undefined) return '**failed**';
    const word = WORDS[way.is ?? 'yes'];
    return results.has(tool) ? word : `(${word})`;
  };
  const numbered = tasks.map(({ title }, i) => [`${i + 1}`, title]);
  const overview = [
    `| | task | ${TOOLS.map((tool) => `${tool} ${versions.get(tool) ?? ''}`.trim()).join(' | ')} |`,
    `|---:|---|${TOOLS.map(() => '---').join('|')}|`,
    ...numbered.map(
      ([number, title], i) =>
        `| ${number} | ${title} | ${TOOLS.map((tool) => verdict(tool, i)).join(' | ')} |`,
    ),
  ];
  const sections = tasks.map((task, i) => {
    const rows = TOOLS.map((tool) => {
      const { steps = [], note = '' } = task.ways[tool];
      const typed = steps.filter((step) => typeof step === 'string').map(code);
      const fault = resultOf(tool, i)?.fault;
      const words = [fault === undefined ? note : `failed: ${cell(fault)}`].filter((each) => each !== '');
      return `| ${tool} | ${typed.join('<br>')} | ${verdict(tool, i)}${words.map((each) => `: ${each}`).join('')} |`;
    });
    return [
      `## ${i + 1}. ${task.title}`,
      ...(task.about === undefined ? [] : [task.about]),
      ['| | typed | |', '|---|---|---|', ...rows].join('\n'),
    ].join('\n\n');
  });
  const settings = TOOLS.map((tool) => [`# ${tool}`, ...SETTINGS[tool]].join('\n')).join('\n');
  return `${[
    '# Twenty everyday tasks, side by side',
    INTRODUCTION,
    overview.join('\n'),
    SETTINGS_TEXT,
    ['```sh', settings, '```'].join('\n'),
    ...sections,
    BEHIND,
  ].join('\n\n')}\n`;
}

/** Code in a cell of a table: the backslash takes the meaning of a column from a pipe. */
function code(step) {
  return `\`${step.replaceAll('|', '\\|')}\``;
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}

const INTRODUCTION = `\`npm run comparison\` wrote this page: it typed every line below, with each program that is installed, one task after the other in a
home folder of its own, and looked what became of it: that the exit code is 0, and that the file is really back, the entry
really listed, the secret really gone. "in part" and "no" are followed by what is missing; what stands beside "no" is the nearest
there is. In brackets: not installed where the page was made, and so not run.

Versions are those of the table; others may do more, or less. dar makes archives, not a repository: much of what it cannot do its
users do by the names of files.`;

const BEHIND = `## What they can do and cbr cannot

* restic and borg mount a repository as a file system (\`restic mount\`, \`borg mount\`): a way to look around that needs no command.
* restic stores on S3, SFTP, a REST server and all that rclone reaches; borg on any machine with ssh and borg, where it can be
  allowed to add and not to remove. cbr stores in a folder.
* restic runs on Windows and macOS, borg on macOS and the BSDs; cbr is made for Linux.
* borg imports tar files (\`borg import-tar\`) as archives, and writes a tar of a whole archive with xattrs and ACLs.
* dar needs no repository: an archive is a file, or slices of a chosen size for media of any kind, and needs dar alone to be read. It
  stores binary differences of large files, and can add redundancy by par2.
* All three are old, and have been used by many for years.`;

const SETTINGS_TEXT = 'Said once, in front of all that follows:';
