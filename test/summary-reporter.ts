import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

/**
 * Ends the run with one line that a program can read: `Tests: 123 passed, 0 failed`. Whatever is not a passed test counts as
 * failed: a test file that did not load, an error outside of tests, and a skipped test too, which it names: in this project
 * a skipped test is a fault. Only what was left out by a filter on the command line does not count.
 */
class SummaryReporter implements Reporter {
  private filtered = false;

  onInit(vitest: Vitest): void {
    this.filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], reason: TestRunEndReason): void {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        else if (state === 'failed') failed++;
        else if (!this.filtered) {
          failed++;
          console.log(`Not run: ${module.relativeModuleId} > ${test.fullName}`);
        }
      }
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
    }
    if (reason !== 'passed' && failed === 0) failed = 1;
    if (failed > 0) process.exitCode = 1;
    console.log(`Tests: ${passed} passed, ${failed} failed`);
  }
}

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter file by its default export
export default SummaryReporter;
