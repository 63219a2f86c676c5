import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openCinch } from '../../services/api/cinch.ts'
import { DEFAULT_STORE, parseStoreLocation } from '../../services/store/location.ts'
import { packageRoot } from '../../services/store/root.ts'
import { openStore, readHolder } from '../../services/store/store.ts'
import { loadShop } from './load.ts'
import type { Truth } from './shop.ts'

/**
 * `npm start`: the whole product on the embedded store with the shop's seeded telemetry. The shop is loaded once, into a
 * store that is empty; one that holds anything is served as it is.
 */

const DAYS = 14
const REQUESTS = 300_000

const location = parseStoreLocation(process.env['CINCH_STORE'] ?? DEFAULT_STORE)
const serving = location.kind === 'chdb' ? readHolder(location.dir) : undefined
if (serving?.url) {
  console.log(
    `Cinch runs already, as process ${serving.pid}: ${serving.url} (its token is in ${join(location.kind === 'chdb' ? location.dir : '', 'admin-token')})`,
  )
  process.exit(0)
}
buildPage()
await prepare()
serve()

/** The page is built once; `npm run build` makes it anew. */
function buildPage(): void {
  if (existsSync(join(packageRoot(), 'web/dist/index.html'))) return
  console.log('building the page …')
  const built = spawnSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'web', '--logLevel', 'warn'], {
    cwd: packageRoot(),
    stdio: 'inherit',
  })
  if (built.status !== 0) process.exit(3)
}

async function prepare(): Promise<void> {
  const store = await openStore(location)
  try {
    const cinch = await openCinch(store)
    const sources = await cinch.sources()
    if (sources.some((source) => source.facts > 0)) return
    const started = performance.now()
    console.log(`loading the shop: ${REQUESTS.toLocaleString('en')} requests of ${DAYS} days …`)
    const truth = await loadShop(cinch, { requests: REQUESTS, days: DAYS, end: new Date() })
    describe(truth, (performance.now() - started) / 1000)
  } finally {
    await store.close()
  }
}

function describe(truth: Truth, seconds: number): void {
  const edges = new Set(
    truth.calls.map(
      (call) =>
        `${call.source.namespace}/${call.source.workload} ${call.destination.namespace}/${call.destination.workload}`,
    ),
  )
  console.log(
    `loaded in ${seconds.toFixed(1)} s: ${truth.calls_total.toLocaleString('en')} calls from ${truth.window.since} to ${truth.window.until} between ${edges.size} pairs of workloads`,
  )
  console.log(`planted: ${truth.problems.length} problems among ${truth.distractors.length} look-alikes that are fine`)
  for (const problem of truth.problems) console.log(`  - ${problem.title}`)
  console.log('')
}

function serve(): void {
  console.log(`what to click:
  1. Graph: who calls whom; a namespace opens with a click
  2. the line from batch to a service it has no business with: its operations are beside it
  3. Policies: generate, and see what they would have done to every request so far
  4. the number under "would be denied" opens the calls
`)
  const child = spawn(
    process.execPath,
    [join(packageRoot(), 'services/cli/bin.js'), 'serve', ...process.argv.slice(2)],
    { stdio: 'inherit' },
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => {
    process.exitCode = code ?? 0
  })
}
