import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Assessment } from '../../services/model/check.ts'
import { createOscalValidator } from '../oscal/schema.ts'
import { expectError, runHere, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine } from '../support/telemetry.ts'

const room = scratch('check')
const store = newStore(room.path('store'))
afterAll(() => room.close())

/** A name that would open a cell, a tag and a link of its own. */
const HOSTILE = 'a|b<script>[x](y)'
const plaintext = JSON.stringify({
  ...(JSON.parse(accessLine({ to: `shop/${HOSTILE}` })) as object),
  ...{ tls_version: null, source_principal: null },
})

beforeAll(async () => {
  writeFileSync(room.path('lines.log'), `${accessLine()}\n`)
  writeFileSync(room.path('plain.log'), `${plaintext}\n`)
}, 120_000)

describe('cinch check', () => {
  test('nothing came: nothing is met, and nothing is not', async () => {
    const ran = await runHere(['check'], { store })
    expect(ran.code).toBe(0)
    expect(ran.stdout).toMatch(/: 0 not met, \d+ not enough data, 17 not observable, 0 attested, 0 met\n/)
  })

  test('one requirement: the verdict, what shows it, and what the check does not see', async () => {
    expect((await runHere(['ingest', '--source', 'istio-json', room.path('lines.log')], { store })).code).toBe(0)
    const ran = await runHere(['check', '--requirement', 'id-seg-rec-1'], { store })
    expect(ran.code).toBe(0)
    expect(ran.stdout).toMatch(
      /^ID-SEG-REC-1 +not enough data +1 requests between services show it, and 100 are asked for/m,
    )
    expect(ran.stdout).toMatch(
      /encrypted-hops: every hop .*\n {2}not enough data: .*\n {2}does not see: .*\n {2}to do: /,
    )
  })

  test('as JSON: every requirement and check, once', async () => {
    const [plain, format] = [
      await runHere(['check', '--json'], { store }),
      await runHere(['check', '--format', 'json'], { store }),
    ]
    expect(plain.stdout).toBe(format.stdout)
    const { requirements, checks } = plain.json<Assessment>()
    expect(requirements.length).toBeGreaterThan(75)
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length)
    expect(requirements.find(({ id }) => id === 'SM-DR7')).toMatchObject({ verdict: 'not_observable', checks: [] })
  })

  test('as Markdown: what came from outside opens nothing, and exit 1 says that something is not met', async () => {
    expect((await runHere(['ingest', '--source', 'istio-json', room.path('plain.log')], { store })).code).toBe(0)
    const ran = await runHere(['check', '--format', 'markdown'], { store })
    const rows = ran.stdout.split('\n').filter((line) => line.startsWith('| '))
    const cells = (row: string) => row.replace(/\\\|/g, '').split('|').length
    expect(new Set(rows.map(cells))).toEqual(new Set([9, 8]))
    expect(ran.stdout).toContain('a\\|b&lt;script>\\[x\\](y)')
    expect(ran.stdout).not.toContain('<script>')
    expect(ran.stdout).toMatch(
      /^\| ID-SEG-REC-1 \| .* \| not met \| 1 of 2 requests between services were in plaintext \|/m,
    )
    expect(ran.code).toBe(1)
  })

  test('as OSCAL: valid by NIST’s schema', async () => {
    const ran = await runHere(['check', '--format', 'oscal'], { store })
    expect(createOscalValidator()(ran.json())).toEqual([])
    expect(ran.stdout).toContain('urn:cinch:oscal')
  })

  test('somebody answers for what no telemetry shows, and the trend has no day without a service', async () => {
    const why = ['--why', 'reviewed']
    const until = new Date(Date.now() + 86_400_000).toISOString()
    const given = await runHere(['check', 'attest', 'SM-DR3', '--owner', HOSTILE, '--until', until, ...why], { store })
    expect(given.stdout).toMatch(/^requirement .*\nSM-DR3 /)
    expect((await runHere(['check', '-r', 'SM-DR3'], { store })).stdout).toMatch(/^SM-DR3 +attested +/m)
    expect((await runHere(['check', 'attest'], { store })).stdout).toContain('SM-DR3')
    expect((await runHere(['check', 'attest', 'SM-DR3', '--withdraw', ...why], { store })).code).toBe(0)
    expect((await runHere(['check', 'attest'], { store })).stdout).toContain('nobody answers')
    expect((await runHere(['check', 'trend'], { store })).stdout).toContain('no verdicts are kept yet')
    expectError(await runHere(['check', 'attest', 'SM-DR3', ...why], { store }), 'bad_option', 2)
    expectError(await runHere(['check', 'attest', 'SM-DR3'], { store }), 'usage', 2)
  })

  test('what it does not know is an error of use', async () => {
    expectError(await runHere(['check', '--format', 'odd'], { store }), 'bad_option', 2)
    expectError(await runHere(['check', '-r', 'NONE-1'], { store }), 'not_found', 2)
  })
})
