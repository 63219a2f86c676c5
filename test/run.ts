import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { missing, required } from './requirements.ts'

/*
 * `npm test`: style and types, then every test; its last line is `N passed, N failed`. `npm test -- PATH…` runs the tests of
 * these paths only, and no lint.
 */

const root = join(import.meta.dirname, '..')

interface Tally {
  passed: number
  failed: number
}

interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { status: string; fullName: string }[]
  }[]
}

const LINT: [name: string, script: string, ...args: string[]][] = [
  ['style (biome)', '@biomejs/biome/bin/biome', 'check', '.'],
  ['types (tsc)', 'typescript/bin/tsc', '--noEmit'],
  ['screens (svelte-check)', 'svelte-check/bin/svelte-check', '--tsconfig', 'web/tsconfig.json', '--fail-on-warnings'],
]

function node(script: string, args: string[], stdio: 'inherit' | 'pipe', env = process.env) {
  const path = join(root, 'node_modules', script)
  return spawnSync(process.execPath, [path, ...args], { cwd: root, stdio, env, encoding: 'utf8', maxBuffer: 64 << 20 })
}

function lint(): Tally {
  const tally = { passed: 0, failed: 0 }
  for (const [name, script, ...args] of LINT) {
    const done = node(script, args, 'pipe')
    if (done.status === 0) tally.passed++
    else tally.failed++
    console.log(`${done.status === 0 ? 'ok    ' : 'FAILED'} ${name}`)
    if (done.status !== 0) console.log(done.error ? String(done.error) : `${done.stdout}${done.stderr}`)
  }
  return tally
}

/** Runs vitest; a file that could not even be loaded counts as one failed test, and so does a run without a report. */
function vitest(paths: string[]): Tally & { skipped: string[] } {
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-run-'))
  try {
    const report = join(scratch, 'report.json')
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...paths]
    // As the launcher sets it for the product; and the browser tests were written for another name of the same demand.
    const env = {
      ...process.env,
      UV_THREADPOOL_SIZE: '16',
      CINCH_REQUIRE_BROWSER: process.env['CINCH_REQUIRE_CHROMIUM'] ?? process.env['CINCH_REQUIRE_BROWSER'],
    }
    const done = node('vitest/vitest.mjs', args, 'inherit', env)
    if (!existsSync(report)) return { passed: 0, failed: 1, skipped: [] }
    return count(JSON.parse(readFileSync(report, 'utf8')) as VitestReport, done.status)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function count(
  { numPassedTests, numFailedTests, testResults }: VitestReport,
  status: number | null,
): Tally & { skipped: string[] } {
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every(({ status }) => status !== 'failed'),
  )
  const failed = numFailedTests + broken.length
  const skipped = testResults.flatMap((file) => {
    const left = file.assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed').length
    return left > 0 ? [`${relative(root, file.name)}: ${left}`] : []
  })
  // Errors outside of tests (an unhandled rejection) fail the run though every test passed.
  return { passed: numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed, skipped }
}

/** Says what is not there and which tests that cost; whatever was demanded by CINCH_REQUIRE_… is a failure. */
function tellSkipped(skipped: string[]): Tally {
  if (skipped.length > 0) console.log(`\nSkipped tests, by file:\n${skipped.map((line) => `  ${line}`).join('\n')}`)
  for (const { what, how, variable } of missing()) {
    console.log(`${required(variable) ? 'FAILED' : 'absent'} ${what}: ${how}`)
  }
  const failed = missing().filter(({ variable }) => required(variable)).length
  return { passed: 0, failed }
}

const paths = process.argv.slice(2)
const tallies = [...(paths.length === 0 ? [lint()] : [])]
const tests = vitest(paths)
tallies.push(tests, tellSkipped(tests.skipped))
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0)
const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
