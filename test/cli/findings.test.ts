import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Finding, FindingListing } from '../../services/model/finding.ts'
import { expectError, runHere, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine } from '../support/telemetry.ts'

const room = scratch('findings')
const store = newStore(room.path('store'))
afterAll(() => room.close())

/** A name that would begin a line of its own and drive the terminal. */
const HOSTILE = 'a\nb\u001b[2J'
const plaintext = JSON.stringify({
  ...(JSON.parse(accessLine({ to: `shop/${HOSTILE}` })) as object),
  ...{ tls_version: null, source_principal: null },
})
const WHY = ['--why', 'a test']
const cinch = async (...args: string[]) => await runHere(args, { store })

beforeAll(async () => {
  writeFileSync(room.path('plain.log'), `${plaintext}\n`)
  expect((await cinch('ingest', '--source', 'istio-json', room.path('plain.log'))).code).toBe(0)
}, 120_000)

test('what is open is listed with exit 1, one finding tells all, and people say what becomes of it', async () => {
  const listed = await cinch('findings', '--check', 'encrypted-hops')
  expect(listed.code).toBe(1)
  expect(listed.stdout).toMatch(/^looked at \S+ to \S+: 1 open findings in 1 groups\n/)
  expect(listed.stdout.trim().split('\n')).toHaveLength(3)
  const { findings } = (await cinch('findings', '--check', 'encrypted-hops', '--json')).json<FindingListing>()
  const id = findings[0]?.id.slice(0, 12) ?? ''

  const shown = await cinch('findings', 'show', id)
  expect(shown.stdout).toMatch(/ {2}does not see: .*\n {2}to do: .*\n\n\S+Z open: seen for the first time\n$/)
  expect(shown.stdout).not.toContain('\u001b')

  const until = new Date(Date.now() + 86_400_000).toISOString()
  const accepted = await cinch('findings', 'accept', id, '--owner', 'team-shop', '--until', until, ...WHY, '--json')
  expect(accepted.json<Finding>()).toMatchObject({ state: 'accepted', owner: 'team-shop', until, why: 'a test' })
  expect((await cinch('findings', '--check', 'encrypted-hops')).code).toBe(0)
  expect((await cinch('findings', 'reopen', id, ...WHY)).stdout).toContain('open: a test (')
})

test('wrong use is an error of use', async () => {
  expectError(await cinch('findings', '--state', 'odd'), 'bad_option', 2)
  expectError(await cinch('findings', 'show'), 'usage', 2)
  expectError(await cinch('findings', 'false', 'abcd'), 'usage', 2)
  expectError(await cinch('findings', 'false', 'abcd', ...WHY), 'not_found', 2)
  expectError(await cinch('findings', 'accept', 'abcd', ...WHY), 'bad_option', 2)
})
