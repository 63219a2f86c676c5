import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { openCinch } from '../../../services/api/cinch.ts'
import { createCommitter } from '../../../services/collector/commit.ts'
import { createBudget } from '../../../services/collector/gather/budget.ts'
import { COMMIT_BYTES } from '../../../services/collector/gather/group-commit.ts'
import { identify } from '../../../services/collector/gather/requests.ts'
import { countLines } from '../../../services/collector/input/chunks.ts'
import { operator, originParams } from '../../../services/collector/origin.ts'
import { REQUEST_BYTES_MAX } from '../../../services/collector/receivers/body.ts'
import { checkProtobuf, OTLP_SIGNALS, type OtlpSignal } from '../../../services/collector/receivers/signals.ts'
import { unpackWhole } from '../../../services/collector/receivers/unpack.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import { type Framing, statementsFor } from '../../../services/collector/statements/statements.ts'
import { openSpool } from '../../../services/store/spool.ts'
import { run, type Store } from '../../../services/store/store.ts'
import { type Bench, type Figure, median } from '../bench.ts'
import { bodiesOf, type Way } from './bodies.ts'

/** Bodies as the Collector sends them. */
const BATCH = 8192
const TURNS = 3

interface Kind {
  way: Way & ('lines' | 'otlp_http')
  name: string
  source: string
  framing: Framing
}

const KINDS: Kind[] = [
  { way: 'lines', name: 'lines', source: 'istio-json', framing: 'lines' },
  { way: 'otlp_http', name: 'spans', source: 'otlp-traces', framing: 'protobuf' },
]

/** The parts of the ways that differ, and all of them as figures. */
export interface Split {
  figures: Figure[]
  parts: Partial<Record<Way, [what: string, milliseconds: number][]>>
}

/**
 * What each part of the way costs, one after the other on a machine that does nothing else: processor time for 1,000 records
 * in chunks of the size that the gatherer makes at most. Beside one another the parts take longer, for they share caches.
 */
export async function measureSplit({ dir, withStore }: Pick<Bench, 'dir' | 'withStore'>): Promise<Split> {
  const split: Split = { figures: [], parts: {} }
  const { figures } = split
  for (const kind of KINDS) {
    const parts = await withStore(async (store) => await partsOf(kind, store, dir))
    split.parts[kind.way] = parts
    const sum = parts.reduce((total, [, value]) => total + value, 0)
    const engine = parts.filter(([what]) => what.startsWith('engine')).reduce((total, [, value]) => total + value, 0)
    figures.push({ what: `where the time goes, 1,000 ${kind.name}: all parts, alone`, value: sum, unit: 'ms' })
    for (const [what, value] of parts) figures.push({ what: `  ${what}`, value, unit: 'ms' })
    figures.push({ what: '  of that the engine', value: (engine / sum) * 100, unit: '%' })
  }
  return split
}

async function partsOf(kind: Kind, store: Store, dir: string): Promise<[string, number][]> {
  const load = { way: kind.way, batch: BATCH, first: 0, startMs: Date.now(), perSecond: 150_000 }
  const [sample] = bodiesOf({ ...load, records: BATCH })
  if (!sample) throw new Error('no body')
  const count = Math.floor(COMMIT_BYTES / sample.unpacked) * BATCH
  const packed = bodiesOf({ ...load, records: count })
  const hold = createBudget(Number.POSITIVE_INFINITY).hold('bench', 'logs')
  const unpacked: Buffer[] = []
  const per1000 = async (work: () => unknown) => {
    const times: number[] = []
    for (let turn = 0; turn < TURNS; turn++) times.push(await processorMs(work))
    return (median(times) / count) * 1000
  }
  const unpacking = await per1000(async () => {
    unpacked.length = 0
    for (const { bytes } of packed)
      unpacked.push((await unpackWhole('gzip', bytes, hold, REQUEST_BYTES_MAX)) ?? Buffer.alloc(0))
  })
  const checking = await per1000(() => unpacked.map((bytes) => check(kind, bytes)))
  const identifying = await per1000(() => unpacked.map((bytes) => identify('scope', bytes)))
  const spool = openSpool(mkdtempSync(join(dir, 'spool-')), true)
  const spooling = await per1000(async () => await (await spool.put(unpacked, {}, false)).done())
  const { whole, fixed, parse } = await engineOf(kind, store, Buffer.concat(unpacked), count)
  return [
    ['unpacking', unpacking],
    ['identity (SHA-256)', identifying],
    ['checks', checking],
    ['spool: write, remove', spooling],
    ['engine: statements, whatever they insert', (fixed / count) * 1000],
    ['engine: parsing and mapping', (parse / count) * 1000],
    ['engine: views and tables', ((whole - fixed - parse) / count) * 1000],
  ]
}

function check({ framing }: Kind, bytes: Buffer): unknown {
  return framing === 'lines' ? countLines(bytes) : checkProtobuf(OTLP_SIGNALS[0] as OtlpSignal, bytes)
}

/** Processor time of the engine for a chunk: all of it, what one record costs as well, and what its mapping alone costs beyond. */
async function engineOf(kind: Kind, store: Store, bytes: Buffer, records: number) {
  await openCinch(store)
  const committer = createCommitter(store)
  const note = (token: string, lines: number) => {
    const { source, framing } = kind
    return { source, framing, origin: operator(), token, lines: framing === 'lines' ? lines : 0 }
  }
  const [one] = bodiesOf({ way: kind.way, batch: 1, records: 1, first: 1e9, startMs: Date.now(), perSecond: 1 })
  const hold = createBudget(Number.POSITIVE_INFINITY).hold('bench', 'logs')
  const single = (one && (await unpackWhole('gzip', one.bytes, hold, REQUEST_BYTES_MAX))) ?? Buffer.alloc(0)
  const wholes: number[] = []
  const fixeds: number[] = []
  const parses: number[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    fixeds.push(await processorMs(() => committer.commit(single, note(`one ${turn}`, 1), false)))
    parses.push((await mappingMs(kind, store, bytes)) - (await mappingMs(kind, store, single)))
    wholes.push(await processorMs(() => committer.commit(bytes, note(`all ${turn}`, records), false)))
  }
  return { whole: median(wholes), fixed: median(fixeds), parse: median(parses) }
}

/** The source's own SELECT, without a table behind it. */
async function mappingMs(kind: Kind, store: Store, bytes: Buffer): Promise<number> {
  const { plain } = statementsFor(findSource(kind.source), kind.framing, 'file')
  const [, settings, select] = /^INSERT INTO \w+ \([^)]*\)\s+(SETTINGS [\s\S]*?)\s+(SELECT [\s\S]*)$/.exec(plain) ?? []
  if (!settings || !select) throw new Error(`the statement of ${kind.source} is not as it is expected`)
  const spool = openSpool(mkdtempSync(join(store.dataDir, 'mapping-')), true)
  const entry = await spool.put([bytes], {}, true)
  const params = { ...originParams(operator()), batch: 'none', token: 'none', chunk: entry.path }
  const milliseconds = await processorMs(() => run(store.jobs, `${select} ${settings} FORMAT Null`, params))
  await entry.done()
  return milliseconds
}

async function processorMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
