import { joinCallers } from '../../services/analyzer/identity/join.ts'
import { HURRIED } from '../../services/analyzer/pace.ts'
import { openStore, query } from '../../services/store/store.ts'

/**
 * The job that joins callers, for a test to kill: `node join-kill-child.ts DIR HALVES_MAX`. Says `left` with the number of statements
 * of jobs before it that wrote calls and did not come to mark their minutes, `open` when it begins, and `done`.
 */
const [dir = '', halvesMax = ''] = process.argv.slice(2)
const store = await openStore({ kind: 'chdb', dir })
const [left] = await query<{ statements: number }>(
  store.jobs,
  `SELECT uniqExact(j.version) AS statements FROM joined_call AS j
   WHERE j.version > (SELECT max(m.version) FROM call_half_minute_joined AS m)`,
)
console.log(`left ${left?.statements}`)
console.log('open')
await joinCallers(store, Date.now(), HURRIED, Number(halvesMax))
await store.close()
console.log('done')
