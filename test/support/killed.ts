import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs a script in a process of its own, and kills it so many milliseconds after it said `open`, or when a promise resolves;
 * without either it may end.
 * @throws Error when it fails by itself
 */
export async function runKilled(
  script: string,
  args: string[],
  when: number | Promise<void> | undefined,
): Promise<{ killed: boolean; output: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stderr.on('data', (bytes) => {
    errors += bytes
  })
  const opened = new Promise<void>((resolve) => {
    child.stdout.on('data', (bytes) => {
      output += bytes
      if (output.includes('open')) resolve()
    })
  })
  const ended = new Promise<[number | null, string | null]>((resolve) =>
    child.once('exit', (code, signal) => resolve([code, signal])),
  )
  if (when !== undefined) {
    await Promise.race([opened, ended])
    await Promise.race([typeof when === 'number' ? sleep(when) : when, ended])
    child.kill('SIGKILL')
  }
  const [code, signal] = await ended
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the child ended with ${code}: ${errors.slice(0, 2000)}`)
  return { killed: signal === 'SIGKILL', output }
}
