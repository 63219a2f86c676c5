import { setFlagsFromString } from 'node:v8'
import { run } from './run.ts'

// Telemetry passes as buffers outside of V8's heap. By itself V8 looks through the whole heap after each 64 MiB of them, three times
// a second at 100,000 lines/s and a twentieth of all processor time; so it counts them with the heap, whose limit grows.
setFlagsFromString('--external-memory-accounted-in-global-limit')

// Whoever reads the output may stop early (`cinch graph | head`); the store is still closed in order.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await run(process.argv.slice(2), { out: console.log, err: console.error })
