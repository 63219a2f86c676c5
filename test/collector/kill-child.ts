import { createCommitter } from '../../services/collector/commit.ts'
import { ingest } from '../../services/collector/ingest.ts'
import { openInput } from '../../services/collector/input/input.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { migrate } from '../../services/store/migrate.ts'
import { openStore } from '../../services/store/store.ts'

/**
 * What `cinch ingest` does, for a test to kill: `node kill-child.ts DIR FILE CLUSTER CHUNK_BYTES`. Says `open`, `recovered`
 * and `done` on standard output, each on a line.
 */
const [dir = '', file = '', cluster = '', chunkBytes = ''] = process.argv.slice(2)
const store = await openStore({ kind: 'chdb', dir })
console.log('open')
await migrate(store)
const committer = createCommitter(store)
console.log(`recovered ${(await committer.recover()).inserted}`)
await ingest(
  store,
  committer,
  findSource('istio-text'),
  operator(cluster),
  await openInput(file),
  () => {},
  Number(chunkBytes),
)
await store.close()
console.log('done')
