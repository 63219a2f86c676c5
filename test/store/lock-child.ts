import { createInterface } from 'node:readline'
import { takeLock } from '../../services/store/lock.ts'

/** Takes locks for a test: each line of its input is `<milliseconds since 1970> <directory>`; says `taken` or `busy` for each. */
for await (const line of createInterface({ input: process.stdin })) {
  const [at = '', dir = ''] = line.split(' ')
  // Nothing is awaited, so that all processes begin within microseconds of each other.
  while (Date.now() < Number(at));
  try {
    takeLock(dir)
    console.log('taken')
  } catch (error) {
    console.log(error instanceof Error && 'code' in error && error.code === 'store_busy' ? 'busy' : String(error))
  }
}
