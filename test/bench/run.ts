import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, type Store } from '../../services/store/store.ts'
import { type Bench, type Figure, format, type Part } from './bench.ts'
import { checks } from './parts/checks.ts'
import { graph } from './parts/graph.ts'
import { kafka } from './parts/kafka.ts'
import { lines } from './parts/lines.ts'
import { network } from './parts/network.ts'
import { policies } from './parts/policies.ts'
import { risk } from './parts/risk.ts'
import { size } from './parts/size.ts'
import { spans } from './parts/spans.ts'
import { templates } from './parts/templates.ts'

/**
 * `npm run bench`: the figures of the design, as ratios in one run. Ways take turns, so that a machine whose speed drifts
 * is fair to all; a way's figure is the median of its turns. `--only NAME,…` runs these parts; `--lines`, `--turns` and
 * `--quick` make it smaller.
 */
const PARTS: Part[] = [lines, spans, network, kafka, graph, size, templates, policies, risk, checks]

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    lines: { type: 'string' },
    turns: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const { quick } = options
const parts = chosen(options.only)
const dir = mkdtempSync(join(tmpdir(), 'cinch-bench-'))
const bench: Bench = {
  dir,
  quick,
  lines: count('lines', quick ? 60_000 : 500_000),
  turns: count('turns', quick ? 1 : 3),
  withStore,
}
const figures: Figure[] = []
const skipped: string[] = []
try {
  for (const part of parts) {
    const missing = part.missing?.()
    if (missing) skipped.push(`${part.name} skipped: ${missing}`)
    else figures.push(...(await part.run(bench)))
  }
} finally {
  rmSync(dir, { recursive: true, force: true })
}
report()

/** The parts that `--only` names, in the order of the list. */
function chosen(only: string | undefined): Part[] {
  if (only === undefined) return PARTS
  const names = only.split(',')
  const unknown = names.find((name) => !PARTS.some((part) => part.name === name))
  if (unknown !== undefined) throw new Error(`no part '${unknown}'; there are ${PARTS.map(({ name }) => name).join()}`)
  return PARTS.filter(({ name }) => names.includes(name))
}

function count(name: 'lines' | 'turns', otherwise: number): number {
  const value = Number(options[name] ?? otherwise)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a number, not '${options[name]}'`)
  return value
}

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(dir, 'store-'))
  const store = await openStore({ kind: 'chdb', dir: path })
  try {
    await migrate(store)
    return await work(store)
  } finally {
    await store.close()
    rmSync(path, { recursive: true, force: true })
  }
}

function report(): void {
  const machine = { processor: cpus()[0]?.model, processors: cpus().length }
  console.log(`\n${machine.processor}, ${machine.processors} processors; ${bench.turns} turns, medians\n`)
  for (const { what, value, unit, asked, note } of figures) {
    console.log(`${what.padEnd(66)} ${format(value).padStart(12)} ${unit}${asked ? `   (asked: ${asked})` : ''}`)
    if (note) console.log(`  ${note}`)
  }
  for (const text of skipped) console.log(text)
  const out = process.env['CINCH_BENCH_OUT'] ?? 'bench.json'
  const { lines, turns } = bench
  writeFileSync(out, `${JSON.stringify({ machine, lines, turns, figures, skipped }, null, 2)}\n`)
  console.log(`\nwritten to ${out}`)
}
