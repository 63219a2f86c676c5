import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findSource } from '../../services/collector/sources/index.ts'
import { statementsFor } from '../../services/collector/statements/statements.ts'
import { newStore } from '../support/new-store.ts'

const MAIN = join(import.meta.dirname, '../../services/cli/main.ts')
const SAMPLES = join(import.meta.dirname, '../../services/collector/sources')
/** The sources that read protobuf, with a sample of each. */
const PROTOBUF = [
  ['envoy-als', 'recommended.binpb'],
  ['otlp-logs', 'attributes.binpb'],
  ['otlp-traces', 'envoy.binpb'],
  ['otlp-metrics', 'sdk-cumulative.binpb'],
  ['istio-metrics', 'prometheus-2.42.0.binpb'],
] as const

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cinch-cwd-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function ingest(id: string, sample: string, cwd: string): void {
  const file = join(SAMPLES, id, 'samples', sample)
  const store = `chdb:${newStore(mkdtempSync(join(dir, 'store-')))}`
  const args = [MAIN, 'ingest', '--json', '--store', store, '--source', id, file]
  const ran = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  const result = JSON.parse(ran.stdout) as { accepted: number; rejected: number }
  expect(result.rejected).toBe(0)
  expect(result.accepted).toBeGreaterThan(0)
}

describe('the embedded engine', () => {
  test.each(PROTOBUF)(
    '%s: an ingest leaves nothing in the working directory',
    (id, sample) => {
      const cwd = join(dir, id)
      mkdirSync(cwd)
      ingest(id, sample, cwd)
      expect(readdirSync(cwd)).toEqual([])
    },
    60_000,
  )

  // Not even the superuser, as whom tests may run, can write there.
  test.skipIf(process.platform !== 'linux')(
    'needs not write to the working directory',
    () => {
      expect(() => mkdirSync('/proc/cinch')).toThrow()
      ingest('envoy-als', 'recommended.binpb', '/proc')
    },
    60_000,
  )
})

test.each(PROTOBUF)('%s: a server, which has no file of ours, gets the schema with the statement', (id) => {
  const { plain } = statementsFor(findSource(id), 'protobuf', 'input')
  expect(plain).toContain("format_schema_source = 'string', format_schema = 'syntax = ")
  expect(statementsFor(findSource(id), 'protobuf', 'file').plain).not.toContain('format_schema_source')
})
