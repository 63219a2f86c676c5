import { run } from './run.ts'

// Whoever reads the output may stop early (`cinch graph | head`); the store is still closed in order.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await run(process.argv.slice(2), { out: console.log, err: console.error })
