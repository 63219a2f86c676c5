import { expect, test } from 'vitest'
import type { Committer, Note } from '../../../services/collector/commit.ts'
import { GATHERER_DEFAULTS, GroupCommit } from '../../../services/collector/gather/group-commit.ts'
import { operator } from '../../../services/collector/origin.ts'
import { findSource } from '../../../services/collector/sources/index.ts'

/** A gatherer whose store refuses so many chunks, and what was asked of the spool. */
function open(refusals: number) {
  const asked: string[] = []
  let left = refusals
  const committer: Pick<Committer, 'stage' | 'finish' | 'unfinished'> = {
    stage: async (pieces, note: Note, sync) => {
      asked.push(sync ? 'written and synced' : 'written')
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
      return { note, path: '', bytes, sync: async () => void asked.push('synced'), done: async () => {} }
    },
    finish: async ({ note }) => {
      if (left-- > 0) throw new Error('the store is away')
      asked.push('stored')
      return (note.parts ?? []).map(() => ({ accepted: 1, rejected: 0, together: 1 }))
    },
    unfinished: () => [],
  }
  const gatherer = new GroupCommit(committer as Committer, 1, {
    ...GATHERER_DEFAULTS,
    gatherMs: 1,
    answerWithinMs: 20_000,
  })
  const submit = async (text: string) => {
    const bytes = Buffer.from(text)
    const hold = gatherer.admit('operator', 'logs')
    hold.grow(bytes.length)
    const source = findSource('istio-json')
    const outcome = await gatherer.submit({
      source,
      framing: 'lines',
      origin: operator(),
      receiver: 'http',
      bytes,
      records: 1,
      hold,
    })
    asked.push(`answered ${outcome.accepted}`)
  }
  return { asked, submit, gatherer }
}

test('a chunk that the store takes at once is not synced, and nothing of it is answered before it is stored', async () => {
  const { asked, submit, gatherer } = open(0)
  await submit('a line')
  await gatherer.close()
  expect(asked).toEqual(['written', 'stored', 'answered 1'])
})

test('a chunk that the store refuses is synced once, and so is what is written while it waits', async () => {
  const { asked, submit, gatherer } = open(6)
  const first = submit('a line')
  await expect.poll(() => asked).toContain('synced')
  await Promise.all([first, submit('another line')])
  await gatherer.close()
  expect(asked.filter((what) => what === 'synced')).toHaveLength(1)
  expect(asked.slice(0, 2)).toEqual(['written', 'synced'])
  expect(asked).toContain('written and synced')
  expect(asked.filter((what) => what === 'answered 1')).toHaveLength(2)
}, 30_000)
