import { createLearner } from '../../services/analyzer/templates/job.ts'
import { openStore } from '../../services/store/store.ts'

/** Learns operations as an analyzer of its own, for a test: `node learn-child.ts URL TIMES`. Says how many callees it learned. */
const [url = '', times = ''] = process.argv.slice(2)
const store = await openStore({ kind: 'http', url })
const learner = createLearner(store)
let learned = 0
for (let at = 0; at < Number(times); at++) learned += await learner.learn(Date.now())
await store.close()
console.log(`learned ${learned}`)
