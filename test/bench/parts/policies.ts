import { openCinch } from '../../../services/api/cinch.ts'
import type { Store } from '../../../services/store/store.ts'
import { engineBinary } from '../../lab/engines/setup.ts'
import { type Figure, format, median, type Part } from '../bench.ts'
import { insertUsage, MONTH, rowsOf, SERVICES, WEEKS } from '../usage.ts'

const TARGETS = ['istio', 'envoy-rbac', 'cedar', 'opa-rego', 'kubernetes']
const PERMISSIONS = 20_000
const REPEATS = 5

/** From what was stored to policies, and these replayed on it: what the command does, with reading, naming and rendering. */
export const policies: Part = {
  name: 'policies',
  run: async ({ quick, withStore }) => {
    const all = quick ? PERMISSIONS / 10 : PERMISSIONS
    const few = await withStore((store) => replayed(store, all / 10))
    const [many, month] = await withStore(
      async (store) => [await replayed(store, all), await generated(store, all)] as const,
    )
    return [...few.figures, ...many.figures, growth(many.seconds / few.seconds), ...month]
  },
}

const growth = (value: number): Figure => ({
  ...{ what: 'replay of ten times the rows, and permissions', value, unit: 'times', asked: 'at most 12' },
})

async function replayed(store: Store, permissions: number): Promise<{ seconds: number; figures: Figure[] }> {
  await insertUsage(store, permissions)
  const cinch = await openCinch(store)
  const { files, report } = await cinch.generate({ target: 'istio', window: WEEKS })
  if (report.permissions.length !== permissions) throw new Error(`${report.permissions.length} permissions`)
  const times: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now()
    const { requests, still_allowed } = await cinch.replay(files, WEEKS)
    times.push((performance.now() - started) / 1000)
    if (still_allowed !== requests || requests < rowsOf(permissions)) throw new Error(`${still_allowed} of ${requests}`)
  }
  const [seconds, megabytes] = [median(times), process.memoryUsage().rss / 2 ** 20]
  const rows = format(rowsOf(permissions))
  const what = `replay of ${rows} rows of the rollup by the hour, ${format(permissions)} permissions of ${SERVICES} services`
  console.log(`${what}: ${times.map(format).join(', ')} s`)
  return {
    seconds,
    figures: [
      { what, value: seconds, unit: 's', ...(permissions === PERMISSIONS && { asked: 'at most 2' }) },
      { what: '  memory of the process, with the engine', value: megabytes, unit: 'MB' },
    ],
  }
}

/** By target: a month, generated and replayed. */
async function generated(store: Store, permissions: number): Promise<Figure[]> {
  const cinch = await openCinch(store)
  const figures: Figure[] = []
  // Rego is replayed by OPA itself, where `npm run lab:setup` has made it.
  const opa = engineBinary('opa')
  if (opa) process.env['CINCH_OPA'] = opa
  for (const target of TARGETS.filter((id) => opa || id !== 'opa-rego')) {
    const started = performance.now()
    const { files } = await cinch.generate({ target, window: MONTH })
    const half = performance.now()
    const result = await cinch.replay(files, MONTH)
    const seconds = (performance.now() - started) / 1000
    if (result.newly_denied.length + result.uncertain.length > 0) throw new Error(`${target} denies what was observed`)
    console.log(`${target}: generated in ${format((half - started) / 1000)} s, with replay ${format(seconds)} s`)
    const what = `${target}: ${format(permissions)} permissions of a month generated, minimised and replayed`
    figures.push({ what, value: seconds, unit: 's', asked: 'at most 10' })
  }
  return figures
}
