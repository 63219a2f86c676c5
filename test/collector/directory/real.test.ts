import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SHARED_DATA } from '../../requirements.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { at, leavesOf, textsOf } from './leaves.ts'
import { type Json, SYSTEMS, type Told } from './told.ts'

const recorded = (name: string) => join(SHARED_DATA, 'directory-events', `${name}.jsonl`)

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('directory-real')
}, 60_000)
afterAll(() => store.close())

interface Stored {
  marked: number
  action: string
  actor_id: string
  actor_name: string
  targets: { type: string; id: string; name: string }[]
  changes: { attribute: string; old: string; new: string }[]
  correlations: { kind: string; value: string }[]
  event: string
}

/** Keys of the recordings whose values open doors, or name sessions and tokens: hashed where they are correlations, and else gone. */
const SECRET =
  /^(sessionId|externalSessionId|uniqueTokenIdentifier|session_id|jti|nonce|_csrf|login_ticket|code_id|.*(password|secret|token))$/i

/** A value as it may stand in a stored event: a text's query strings are cut. */
const cut = (value: unknown) =>
  typeof value === 'string'
    ? value.replace(/\?[a-z0-9_.~%+[\]-]+=[^" \\]*/gi, '?<query>').replace(/:\/\/[^/@" \\]*@/g, '://<redacted>@')
    : value

/** Leaves that are neither in the stored event nor secrets. */
const lost = (event: Json, stored: Json) =>
  leavesOf(event).filter(({ path, value }) => {
    const kept = at(stored, path)
    if (Object.is(kept, value) || kept === cut(value)) return false
    const key = path.findLast((part) => typeof part === 'string')
    return !(kept === '<redacted>' && SECRET.test(String(key)))
  })

describe.skipIf(!existsSync(SHARED_DATA))('recorded events', () => {
  test.each(Object.entries(SYSTEMS))(
    '%s: each is parsed to actor, action, target and correlation, and no leaf is lost',
    async (file, { source, told }) => {
      const events = readFileSync(recorded(file), 'utf8')
        .trim()
        .split('\n')
        .map((line, marked): Json => ({ ...(JSON.parse(line) as { event: Json }).event, cinch_mark: marked }))
      const meant = events.map(told)
      const isEvent = (meaning: Told | undefined): meaning is Told => meaning !== undefined
      const result = await store.file(source, events.map((event) => `${JSON.stringify(event)}\n`).join(''), file)
      expect(result).toMatchObject({
        accepted: meant.filter(isEvent).length,
        rejected: meant.filter((meaning) => !isEvent(meaning)).length,
      })
      const rows = await store.rows<Stored>(
        `SELECT JSONExtractInt(event, 'cinch_mark') AS marked, action, actor_id, actor_name, targets, changes, correlations, event FROM directory_event WHERE cluster = {file:String}`,
        { file },
      )
      const byMark = new Map(rows.map((row) => [row.marked, row]))
      for (const [mark, meaning] of meant.entries()) {
        const row = byMark.get(mark)
        expect(row === undefined, `event ${mark}`).toBe(meaning === undefined)
        if (!row || !meaning) continue
        expect(lost(events[mark] ?? {}, JSON.parse(row.event) as Json), `event ${mark}`).toEqual([])
        expect(row.action).toBe(meaning.action)
        expect(row.actor_id + row.actor_name).not.toBe('')
        for (const name of meaning.actor) expect([row.actor_id, row.actor_name]).toContain(name)
        for (const name of meaning.targets) expect(textsOf(row.targets), `event ${mark}`).toContain(name)
        for (const value of meaning.changes)
          expect(row.changes.flatMap((change) => [change.old, change.new])).toContain(cut(value))
        for (const [kind, value] of meaning.correlations)
          if (kind === 'session' || kind === 'token') {
            expect(row.correlations.find((correlation) => correlation.kind === kind)?.value, `event ${mark}`).toMatch(
              /^[0-9a-f]{32}$/,
            )
            expect(row.correlations).not.toContainEqual({ kind, value })
          } else expect(row.correlations).toContainEqual({ kind, value })
      }
    },
  )
})
