import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { Truth } from './shop.ts'

const directory = mkdtempSync(join(tmpdir(), 'cinch-scenario-'))
const command = fileURLToPath(new URL('write.ts', import.meta.url))
const run = (...args: string[]) => execFileSync(process.execPath, [command, directory, ...args], { stdio: 'pipe' })
const read = (name: string) => readFileSync(join(directory, name), 'utf8')

afterAll(() => rmSync(directory, { recursive: true }))

describe('write.ts', () => {
  it('writes logs, objects, policies and the truth that counts them', () => {
    run('--seed', '5', '--days', '1', '--requests', '5000', '--end', '2026-11-05T00:00:00Z')
    const clusters = ['east', 'west']
    const expected = clusters.flatMap((name) => [`access-${name}.log`, `objects-${name}.yaml`, `pods-${name}.yaml`])
    expect(readdirSync(directory).sort()).toEqual([...expected, 'policies.yaml', 'truth.json'].sort())
    const truth: Truth = JSON.parse(read('truth.json'))
    for (const name of clusters) expect(read(`access-${name}.log`).split('\n').length - 1).toBe(truth.lines[name])
  })

  it('refuses a wrong option with exit code 2 and leaves what is there', () => {
    const before = read('access-east.log')
    expect(() => run('--requests', '3')).toThrow(expect.objectContaining({ status: 2 }))
    expect(read('access-east.log')).toBe(before)
  })
})
