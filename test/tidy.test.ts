import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { targets } from '../policy-gen/targets/index.ts'
import { SOURCES } from '../services/collector/sources/index.ts'
import { ERRORS } from '../services/model/errors.ts'
import { isCode, ROOT, sourceFiles } from './tidy/files.ts'
import { deadFiles, wrongImports } from './tidy/imports.ts'
import { badFunctions, longFile } from './tidy/shape.ts'
import { badMigration, codesInTables } from './tidy/tables.ts'
import { bannedWords } from './tidy/words.ts'

const files = sourceFiles()
const folders = (dir: string) =>
  readdirSync(join(ROOT, dir), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
const lacks = (path: string) => (existsSync(join(ROOT, path)) ? [] : [`${path} is missing`])

describe('the repository', () => {
  test('imports go one way', () => expect(files.flatMap(wrongImports)).toEqual([]))
  test('files are short', () => expect(files.flatMap(longFile)).toEqual([]))
  test('functions are short, and no error is swallowed', () =>
    expect(files.filter(isCode).flatMap(badFunctions)).toEqual([]))
  test('no banned words', () => expect(files.flatMap(bannedWords)).toEqual([]))
  test('no dead files', () => expect(deadFiles(files, ['services/cli/main.ts'])).toEqual([]))

  test('a source is a folder and a line in the list', () => {
    expect(folders('services/collector/sources').filter((name) => name !== 'common')).toEqual(
      SOURCES.map(({ id }) => id).sort(),
    )
    const missing = SOURCES.flatMap(({ id, kind }) => {
      const folder = `services/collector/sources/${id}`
      return [
        ...lacks(`${folder}/README.md`),
        ...(kind === 'objects' ? [] : [...lacks(`${folder}/mapping.sql`), ...lacks(`${folder}/samples`)]),
      ]
    })
    expect(missing).toEqual([])
  })

  test('a target is a folder and a line in the list', () => {
    expect(folders('policy-gen/targets')).toEqual(targets.map(({ id }) => id).sort())
    expect(targets.flatMap(({ id }) => lacks(`policy-gen/targets/${id}/README.md`))).toEqual([])
  })

  test('migrations are named in order, and every table says why it is ordered as it is', () => {
    const migrations = files.filter(({ path }) => path.startsWith('migrations/'))
    expect(migrations.flatMap(badMigration)).toEqual([])
    expect(migrations.map(({ path }) => Number(path.slice('migrations/'.length, 'migrations/NNNN'.length)))).toEqual(
      migrations.map((_, index) => index + 1),
    )
  })

  test('every error code is used', () => {
    const product = files.filter(
      ({ path }) => /^(services|policy-gen)\/.*\.(ts|js)$/.test(path) && path !== 'services/model/errors.ts',
    )
    // A code with an error class of its own is named by it.
    const classes = files.find(({ path }) => path === 'services/model/errors.ts')?.text ?? ''
    const isUsed = (code: string) =>
      classes.includes(`super('${code}'`) || product.some(({ text }) => text.includes(`'${code}'`))
    expect(Object.keys(ERRORS).filter((code) => !isUsed(code))).toEqual([])
  })

  test('the documented error codes are those that exist: the table headed "code" in README.md or docs/', () => {
    const documents = files.filter(({ path }) => path === 'README.md' || /^docs\/.*\.md$/.test(path))
    expect(documents.flatMap(({ text }) => codesInTables(text)).sort()).toEqual(Object.keys(ERRORS).sort())
  })
})

/** Each rule must find what it is there to find. */
describe('the rules', () => {
  const file = (path: string, text: string) => ({ path, text })

  test.each([
    ['services/model/a.ts', "import { query } from '../store/store.ts'"],
    ['services/model/a.ts', "import { join } from 'node:path'"],
    ['services/store/a.ts', "import { ingest } from '../collector/ingest.ts'"],
    ['services/collector/a.ts', "export { serve } from '../api/server.ts'"],
    ['services/analyzer/a.ts', "import { createClient } from '@clickhouse/client'"],
    ['services/analyzer/a.ts', "const engine = createRequire(import.meta.url)('chdb')"],
    ['services/api/a.ts', "const cli = await import('../cli/main.ts')"],
    ['policy-gen/a.ts', "import { openStore } from '../services/store/store.ts'"],
    ['web/src/a.svelte', '<script lang="ts">import { query } from \'../../services/store/store.ts\'</script>'],
  ])('%s must not: %s', (path, text) => expect(wrongImports(file(path, text))).toHaveLength(1))

  test.each([
    ['services/analyzer/a.ts', "import type { ClickHouseClient } from '@clickhouse/client'"],
    ['services/store/queries/a.ts', "import { query } from '../store.ts'"],
    ['services/api/a.ts', "import { generate } from '../../policy-gen/generate.ts'"],
    ['policy-gen/targets/a.ts', "import { parse } from 'yaml'"],
  ])('%s may: %s', (path, text) => expect(wrongImports(file(path, text))).toEqual([]))

  test('long files, long functions, swallowed errors', () => {
    expect(longFile(file('services/a.ts', 'x\n'.repeat(400)))).toHaveLength(1)
    const long = `function f() {\n${'g()\n'.repeat(70)}}`
    expect(badFunctions(file('services/a.ts', long))[0]).toMatch(/^services\/a.ts:1 f has 72 lines/)
    expect(badFunctions(file('test/a.test.ts', `describe('x', () => {\n${'g()\n'.repeat(70)}})`))).toEqual([])
    expect(badFunctions(file('services/a.ts', 'try { f() } catch {}'))).toHaveLength(1)
    expect(badFunctions(file('services/a.ts', 'try { f() } catch { /* already gone */ }'))).toEqual([])
  })

  test.each([
    ['services/a.ts', ['x as', 'any'].join(' ')],
    ['services/a.ts', ['// @ts', 'ignore'].join('-')],
    ['services/store/a.ts', ['console', 'log(1)'].join('.')],
    ['policy-gen/a.ts', ['Math', 'random()'].join('.')],
    ['services/model/a.ts', ['Date', 'now()'].join('.')],
    ['README.md', `see ${['', 'tmp', 'x'].join('/')}`],
    ['test/a.ts', `'${['', 'work', 'x'].join('/')}'`],
    ['.ci/run', ['npm', 'js.org'].join('')],
  ])('%s must not say: %s', (path, text) => expect(bannedWords(file(path, text))).toHaveLength(1))

  test.each([
    ['services/cli/a.ts', ['console', 'log(1)'].join('.')],
    ['services/a.ts', 'the way of many'],
    ['services/a.ts', "'/orders/work/tmp'"],
  ])('%s may say: %s', (path, text) => expect(bannedWords(file(path, text))).toEqual([]))

  test('dead files', () => {
    const code = [
      file('services/cli/main.ts', "import '../a.ts'"),
      file('services/a.ts', ''),
      file('services/b.ts', ''),
      file('test/x.ts', "import '../services/b.ts'"),
    ]
    expect(deadFiles(code, ['services/cli/main.ts'])).toEqual(['services/b.ts'])
  })

  test('tables without a reason', () => {
    const table = 'CREATE TABLE IF NOT EXISTS a {on_cluster} (x String)\nENGINE = MergeTree ORDER BY x;\n'
    expect(badMigration(file('migrations/0001_a.sql', table))).toHaveLength(1)
    expect(badMigration(file('migrations/0001_a.sql', `-- ORDER BY x: it is looked up by x.\n${table}`))).toEqual([])
    expect(badMigration(file('migrations/1_a.sql', ''))).toHaveLength(1)
  })

  test('codes in tables of Markdown', () => {
    expect(
      codesInTables('| code | exit |\n|---|---|\n| `usage` | 2 |\n| not_found | 2 |\n\n| other |\n|---|\n| `x` |'),
    ).toEqual(['usage', 'not_found'])
  })
})
