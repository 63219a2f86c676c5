import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ENVOY_VERSION } from './setup.ts'

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'cinch-lab-cache-'))
  vi.stubEnv('XDG_CACHE_HOME', cache)
  vi.resetModules()
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(cache, { recursive: true, force: true })
})

test('an empty cache has no binary', async () => {
  const { labBinary } = await import('./setup.ts')
  expect(labBinary()).toBeUndefined()
})

test('a cached file that is not the pinned binary is not handed out', async () => {
  const folder = join(cache, 'cinch', 'lab', `envoy-${ENVOY_VERSION}-${process.arch}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'envoy'), '#!/bin/sh\necho not Envoy\n', { mode: 0o755 })
  const { labBinary } = await import('./setup.ts')
  expect(labBinary()).toBeUndefined()
})

test.runIf(process.platform === 'linux')(
  'without Python the error says what to install, and nothing is cached',
  async () => {
    vi.stubEnv('PATH', join(cache, 'nothing'))
    const { setUp, labBinary } = await import('./setup.ts')
    expect(() => setUp()).toThrow(/cannot run python3.*install Python 3 with pip/)
    expect(labBinary()).toBeUndefined()
  },
)
