import { setTimeout as sleep } from 'node:timers/promises'
import { createLease } from '../../services/store/lease.ts'
import { openStore, query, run } from '../../services/store/store.ts'

/**
 * Counts under a lease for a test, as no two processes could at once: `node lease-child.ts URL LEASE_MS TIMES WORK_MS`. Reads how many rows there are,
 * works, asks whether the lease is still there, and writes the next number. Says `open` when it first has it, and `counted N` or `lost` for each.
 */
const [url = '', leaseMs = '', times = '', workMs = ''] = process.argv.slice(2)
const store = await openStore({ kind: 'http', url })
const lease = createLease(store, 'counting', Number(leaseMs))
for (let at = 0; at < Number(times); at++) {
  const counted = await lease(async (held) => {
    const [row] = await query<{ n: number }>(store.jobs, 'SELECT count() AS n FROM counted')
    console.log('open')
    await sleep(Number(workMs))
    await held.keep()
    await run(store.jobs, 'INSERT INTO counted SELECT {n:UInt32}, {pid:UInt32}', {
      n: (row?.n ?? 0) + 1,
      pid: process.pid,
    })
    return (row?.n ?? 0) + 1
  }, 60_000).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'lease_lost') return 'lost'
    throw error
  })
  console.log(counted === 'lost' ? 'lost' : `counted ${counted}`)
}
await store.close()
