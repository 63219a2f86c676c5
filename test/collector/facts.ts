import { readdirSync, readFileSync } from 'node:fs'
import { PATH_FLAGS } from '../../services/model/operation.ts'
import type { TestStore } from './support.ts'

/** A fact without the columns that say nothing, or `{ reject }` with the reason. */
export type Fact = Record<string, unknown>

/** Not of the line itself: who sent it, and when it was loaded. */
const OF_THE_BATCH = [
  'cluster',
  'source_cluster',
  'destination_cluster',
  'sender',
  'source_format',
  'loaded',
  'tenant',
  'sampling_weight',
]
const SAYS_NOTHING = new Set(['', '::', 0, '00000000-0000-0000-0000-000000000000', '1970-01-01 00:00:00'])

const saysNothing = (value: unknown) =>
  SAYS_NOTHING.has(value as string) || (Array.isArray(value) && value.length === 0)

/** The facts of a cluster in the order of their times, as `expected.jsonl` writes them. */
export async function factsOf(test: TestStore, cluster: string): Promise<Fact[]> {
  const rows = await test.rows<Fact>(
    `SELECT * REPLACE (lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, lower(hex(parent_span_id)) AS parent_span_id)
     FROM request WHERE cluster = {cluster:String}`,
    { cluster },
  )
  return inOrder(rows.map(plain))
}

function plain({ path_flags, grpc_status, ...row }: Fact): Fact {
  const flags = PATH_FLAGS.filter((_, bit) => (Number(path_flags) & (1 << bit)) !== 0)
  const all: Fact = { ...row, path_flags: flags }
  const told = Object.entries(all).filter(
    ([key, value]) => !OF_THE_BATCH.includes(key) && !saysNothing(value) && !/^0+$/.test(String(value)),
  )
  // `end` is what a line at a request's end is; -1 means that it was no gRPC call.
  return Object.fromEntries([
    ...told.filter(([key, value]) => !(key === 'stage' && value === 'end')),
    ...(grpc_status === -1 ? [] : [['grpc_status', grpc_status] as const]),
  ])
}

export const sourceDir = (id: string) => new URL(`../../services/collector/sources/${id}/`, import.meta.url)

export interface Sample {
  file: string
  /** `file.log:3` */
  name: string
  bytes: Buffer
  expected: Fact
}

/** Facts in the order of `factsOf`. */
export const inOrder = (facts: Fact[]) => facts.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
const orderOf = (fact: Fact) => ['time', 'path', 'reporter', 'decision'].map((key) => fact[key]).join(' ')

/** The real lines of a source's folder, each with the fact expected of it. */
export function samplesOf(id: string): Sample[] {
  const dir = sourceDir(id)
  const files = readdirSync(new URL('samples/', dir))
  const lines = files.flatMap((file) => {
    const text = readFileSync(new URL(`samples/${file}`, dir), 'utf8')
      .split('\n')
      .slice(0, -1)
    return text.map((line, index) => ({ file, name: `${file}:${index + 1}`, bytes: Buffer.from(line) }))
  })
  const expected = readFileSync(new URL('expected.jsonl', dir), 'utf8').split('\n').slice(0, -1)
  const facts = new Map(expected.map((text) => JSON.parse(text) as Fact).map(({ line, ...fact }) => [line, fact]))
  if (facts.size !== lines.length) throw new Error(`${id}: ${lines.length} sample lines, ${facts.size} expectations`)
  return lines.map((line) => ({ ...line, expected: facts.get(line.name) ?? {} }))
}

export const isReject = (sample: Sample) => 'reject' in sample.expected
