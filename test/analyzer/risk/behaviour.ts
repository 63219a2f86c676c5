import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import {
  type Histogram,
  histogram,
  type Known,
  MATURITY_MIN,
  maturityOf,
  termsOf,
} from '../../../services/analyzer/risk/evidence.ts'
import { type Judged, judge } from '../../../services/analyzer/risk/score.ts'
import { createTail, type Tail } from '../../../services/analyzer/risk/tail.ts'
import { SHARED_DATA } from '../../requirements.ts'

/**
 * The labelled recording: forty users, blocks of a hundred actions; of ten users a hundred later blocks are labelled. What a user is, is
 * learned from the first fifty blocks of all; nothing is fitted to labels.
 */
const BLOCK = 100
const LEARNED_BLOCKS = 50

export interface Block {
  user: number
  judged: Judged
  isStranger: boolean
}

interface User {
  actions: string[]
  /** Of each block whether somebody else's actions are in it; only of the learned ones where nobody says. */
  labels: boolean[]
}

/** Entries of a zip file by their name's last part, read from the central directory (APPNOTE 4.3.12). */
function unzip(file: Buffer): Map<string, string> {
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  const entries = new Map<string, string>()
  let at = file.readUInt32LE(end + 16)
  for (let left = file.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [packed, name, extra, comment] = [20, 28, 30, 32].map((offset, index) =>
      index === 0 ? file.readUInt32LE(at + offset) : file.readUInt16LE(at + offset),
    ) as [number, number, number, number]
    const local = file.readUInt32LE(at + 42)
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28)
    const path = file.toString('utf8', at + 46, at + 46 + name)
    if (packed > 2)
      entries.set(path.split('/').at(-1) ?? '', inflateRawSync(file.subarray(start, start + packed)).toString())
    at += 46 + name + extra + comment
  }
  return entries
}

function readUsers(): User[] {
  const files = unzip(readFileSync(join(SHARED_DATA, 'behaviour/actions.zip')))
  const lines = readFileSync(join(SHARED_DATA, 'behaviour/labels.csv'), 'utf8').trim().split('\n').slice(1)
  return lines.map((line) => {
    const [name = '', ...labels] = line.split(',')
    const actions = (files.get(name) ?? '').trim().split(/\r?\n/)
    return { actions, labels: labels.filter((label) => label.trim() !== '').map((label) => label.trim() === '1') }
  })
}

const blockOf = (user: User, at: number) => counted(user.actions.slice(at * BLOCK, (at + 1) * BLOCK))
const counted = (actions: readonly string[]): Histogram => histogram(actions.map((action) => [action, 1] as const))

const together = (parts: readonly Histogram[]) => histogram(parts.flatMap(({ counts }) => [...counts]))

/**
 * Scores of the labelled blocks, and the tail that the learned ones leave. As in a service, what calibrates is each block judged by
 * those before it, from where a service would judge: left out one by one instead, what follows a block tells of it, and a threshold
 * for one false alarm in a hundred had five.
 */
export function judgeRecording(): { blocks: Block[]; tail: Tail } {
  const users = readUsers()
  const learned = users.map((user) => Array.from({ length: LEARNED_BLOCKS }, (_, at) => blockOf(user, at)))
  const own = learned.map(together)
  const all = together(own)
  const score = (block: Histogram, known: Known) => judge(termsOf('operation', block.counts, known))
  const tail = createTail()
  for (const [user, blocks] of learned.entries()) {
    const others = together(own.filter((_, other) => other !== user))
    for (const [at, block] of blocks.entries()) {
      const before = together(blocks.slice(0, at))
      if (maturityOf(before.total) < MATURITY_MIN) continue
      tail.add(score(block, { own: before, all: together([before, others]) }).whole.nats)
    }
  }
  const blocks = users.flatMap((user, at) =>
    user.labels.slice(LEARNED_BLOCKS).map((isStranger, index) => {
      const known = { own: own[at] as Histogram, all }
      return { user: at, isStranger, judged: score(blockOf(user, LEARNED_BLOCKS + index), known) }
    }),
  )
  return { blocks, tail }
}

/** Average precision, and the share of strangers found at so many false alarms. */
export function quality(scored: readonly { score: number; isStranger: boolean }[], falseShare: number) {
  const ranked = scored.toSorted((a, b) => b.score - a.score)
  const strangers = ranked.filter(({ isStranger }) => isStranger).length
  const allowed = falseShare * (ranked.length - strangers)
  let [found, wrong, precisions, rate] = [0, 0, 0, 0]
  for (const { isStranger } of ranked) {
    if (!isStranger) wrong += 1
    else {
      found += 1
      precisions += found / (found + wrong)
    }
    if (wrong <= allowed) rate = found / strangers
  }
  return { averagePrecision: precisions / strangers, truePositiveRate: rate, strangers }
}

/** The share of honest blocks, and of strangers', above what one in 1/`budget` should exceed. */
export function alarms({ blocks, tail }: ReturnType<typeof judgeRecording>, budget: number) {
  const limit = tail.threshold(budget) ?? Number.NaN
  const above = (isStranger: boolean) => {
    const those = blocks.filter((block) => block.isStranger === isStranger)
    return those.filter(({ judged }) => judged.whole.nats > limit).length / those.length
  }
  return { false: above(false), found: above(true) }
}
