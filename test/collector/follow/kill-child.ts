import { createCommitter } from '../../../services/collector/commit.ts'
import { migrate } from '../../../services/store/migrate.ts'
import { openStore } from '../../../services/store/store.ts'
import { followText } from './support.ts'

/**
 * What `cinch ingest --follow` does, for a test to kill: `node kill-child.ts DIR CLUSTER=PATTERN…`. Says `open`,
 * `recovered` and `following` on standard output; when standard input ends, it reads what is there and says `done`.
 */
const [dir = '', ...followed] = process.argv.slice(2)
const store = await openStore({ kind: 'chdb', dir })
console.log('open')
await migrate(store)
const committer = createCommitter(store)
console.log(`recovered ${(await committer.recover()).inserted}`)
const followers = await Promise.all(
  followed.map((one) => {
    const [cluster = '', pattern = ''] = one.split('=')
    return followText({ store, committer }, cluster, [pattern])
  }),
)
console.log('following')
for await (const _ of process.stdin) {
  // Nothing is said on it: its end is the word.
}
for (const follower of followers) {
  await follower.caughtUp()
  await follower.stop()
  for (const note of follower.notes) console.log(`note ${note}`)
}
await store.close()
console.log('done')
